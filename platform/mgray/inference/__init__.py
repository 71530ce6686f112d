"""One predictor for evaluation, pseudo-labels and serving."""
