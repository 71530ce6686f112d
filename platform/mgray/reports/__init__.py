"""Predictions to tables, figures, galleries and one self-contained HTML page."""
