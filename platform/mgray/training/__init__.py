"""Tasks, the one loop, stages and checkpoints; ``worker`` runs the loop on Ray Train."""
