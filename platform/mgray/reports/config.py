"""What an evaluation is asked to do; light, so that ``python -m jobs.evaluate --help`` is quick."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from mgray.config import Config
from mgray.metrics.config import MOST_CASES, BootstrapConfig, FrocConfig, HitConfig


class EvaluateConfig(Config):
    """Predictions of a run's models on held-out pairs, and the report on them."""

    run: Path
    """Run folder of jobs.train, with models/ and stages/."""

    data: Path
    """Image table, as jobs.ingest writes it."""

    out: Path
    """Folder for predictions.parquet, report.json and report.html."""

    split: Literal["test", "val"] = "test"
    """Split that is reported; operating thresholds always come from val."""

    models: tuple[str, ...] = ()
    """Models of the run; empty means all of untrained, sm, ffdm, fused, upper_bound it holds."""

    hit: HitConfig = HitConfig()
    froc: FrocConfig = FrocConfig()
    bootstrap: BootstrapConfig = BootstrapConfig()

    gallery: int = Field(default=4, ge=0)
    """Pairs shown of each bucket, and of positive pairs at random."""

    audit: bool = True
    """Show how the pairs of the split lie on each other, as the ingest measured it."""

    workers: int = Field(default=2, ge=1)
    """Predictors that run at once, on Ray; predictions do not depend on it."""

    gpu: bool = False
    """One GPU for each predictor; else one CPU core."""

    seed: int = Field(default=0, ge=0)
    """Of the pairs shown, and of the folds of pF1."""

    served: Path | None = None
    """JSON with what a running endpoint answered, to be shown in the report: a list of {what,
    seconds, answer}, each answer as POST /v1/detect gives it."""


class AuditConfig(Config):
    """A printed table to be checked against whole numbers of cases."""

    table: Path
    """CSV with a header: sensitivity (tpr, recall), specificity, precision, f1, accuracy, and
    positives, negatives, cases where they are stated. The first other column names the row."""

    by: str | None = None
    """Column whose values tell test sets apart, e.g. target; null: all rows share one."""

    most: int = Field(default=1000, ge=2, le=MOST_CASES)
    """Cases looked at. With three digits, the more cases the more numbers fit."""
