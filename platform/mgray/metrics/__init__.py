"""FROC, ROC, bootstrap and complementarity; numpy and scipy only."""
