"""Evaluate a run's models on held-out pairs: predictions.parquet, report.json, report.html.

    python -m jobs.evaluate run=DIR data=DIR out=DIR [split=test hit.min_radius_mm=7.0]

Predictions and finished parts are reused. The thresholds at a quarter, a half, one and two false
positives per image on val are also written into the run's model folders, with the hit rule they
were read with. On a cluster: workers=8 gpu=true.

Keys:
"""

from mgray.cli import main
from mgray.reports.config import EvaluateConfig


def run(config: EvaluateConfig) -> None:
    """Evaluate, and name the report."""
    from mgray.reports.evaluate import evaluate

    print(f"report: {evaluate(config)}")


if __name__ == "__main__":
    main(__doc__, EvaluateConfig, run, "run", "data", "out")
