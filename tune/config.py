"""What a search is asked to do; light, so that ``python -m tune.sweep --help`` is quick."""

from pathlib import Path

from pydantic import Field

from mgray.config import Config


class SweepConfig(Config):
    """One search."""

    recipe: str
    """A recipe of jobs.train, or a saved .yaml."""
    space: str
    """A search space: two_point or focal."""
    data: Path
    """Image table, as jobs.ingest writes it."""
    out: Path
    """Folder of trials and results."""
    samples: int = Field(default=1, ge=1)
    """Draws from the space; a grid is run this many times."""
    concurrent: int = Field(default=1, ge=1)
    """Trials at a time; each takes train.workers x train.cpus_per_worker CPUs (or GPUs). A search
    that continues keeps the number that it began with."""
    seed: int = 0
    """Of the draws, and of every trial's weights and sampling."""
