"""What a search is asked to do; light, so that ``python -m tune.sweep --help`` is quick."""

from pathlib import Path

from pydantic import Field

from mgray.config import Config


class SweepConfig(Config):
    """One search."""

    recipe: str
    """A recipe of jobs.train, or a saved .yaml."""
    space: str
    """focal: drawn by Optuna's TPE from the paper's ranges; grid: the paper's grid, 750 points;
    two_point: the paper's best against the usual focal loss."""
    data: Path
    """Image table, as jobs.ingest writes it."""
    out: Path
    """Folder of trials and results."""
    samples: int = Field(default=50, ge=1)
    """Trials of a drawn space; a grid has its own number. More of them continue a search."""
    concurrent: int = Field(default=1, ge=1)
    """Trials at a time; each takes train.workers x train.cpus_per_worker CPUs (or GPUs)."""
    seed: int = Field(default=0, ge=0)
    """Of the draws, and of every trial's weights and sampling."""
    rungs: int = Field(default=2, ge=0)
    """How often a trial of a drawn space may be stopped early: after 1/reduction**k of its steps,
    k = 1 ... rungs, at the first validation from then on. 0 never; a grid is walked whole."""
    reduction: float = Field(default=3.0, ge=2)
    """A trial is stopped only if its 95 % interval lies below what the best 1/reduction of the
    trials had at that rung: successive halving (ASHA), but not by noise."""
    replicates: int = Field(default=1000, ge=2)
    """Resamples of the validation patients behind each interval."""
