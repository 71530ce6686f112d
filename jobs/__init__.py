"""Entry points: ``python -m jobs.X``, also what ``ray job submit`` runs."""
