"""What the bench measures and how often; light, so that ``--help`` is quick."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from mgray.config import Config

Part = Literal[
    "ingest",
    "codecs",
    "reader",
    "sampler",
    "catalog",
    "nodes",
    "train",
    "gpu",
    "serve",
    "load",
    "bootstrap",
    "help",
]


class BenchConfig(Config):
    """One bench."""

    out: Path = Path("runs/bench")
    """Folder of bench.json and of the jobs' words, bench.log and serve.log."""
    which: tuple[Part, ...] = (
        "ingest",
        "codecs",
        "reader",
        "sampler",
        "catalog",
        "train",
        "gpu",
        "serve",
        "load",
        "bootstrap",
        "help",
    )
    """Parts to run, e.g. which=[ingest,serve], or nodes, which is not among them by default; gpu
    only says so where there is none. Peak memory comes with those that need the job."""
    exams: int = Field(default=24, ge=8)
    """Virtual exams, eight images each, that are trained on, read and served."""
    full_exams: int = Field(default=25, ge=1)
    """Virtual exams, eight full-size images each, that are ingested and decoded. They are made once
    and kept in out/full, some 0.5 GB for each of three transfer syntaxes; delete them at will."""
    full_rows: int = Field(default=3328, ge=624, multiple_of=208)
    """Rows of a full-size image; 10 columns for 13 rows."""
    full_turns: int = Field(default=1, ge=1)
    """Turns that the ingest of the full-size images takes; the bare loop takes half of the files
    before, half after."""
    pairs: int = Field(default=1_239_372, ge=4)
    """Pairs of the catalogue and of the sampler, without pixels; as many as paper P1 has."""
    images: int = Field(default=364_000, ge=1000)
    """Images with 100 detections each whose FAUC-1 is resampled; paper P1 tests as many."""
    replicates: int = Field(default=10_000, ge=1)
    """Resamples of their patients."""
    repeats: int = Field(default=3, ge=1)
    """Turns that mgray and the bare way take."""
    steps: int = Field(default=12, ge=4, multiple_of=4)
    """Training steps timed in each turn."""
    requests: int = Field(default=50, ge=1)
    """Images asked about in each turn."""
    load_s: float = Field(default=20.0, gt=0)
    """Seconds at twice the endpoint's capacity; 600 for the figure of a release."""
    workers: int = Field(default=2, ge=1)
    """Processes of the phantoms, of the ingest and of the bare codec loop, and threads that decode
    for the GPU; exams / 4 at most."""
    seed: int = 1
    """Of phantoms, weights and sampling."""

    @field_validator("workers")
    @classmethod
    def _fills_shards(cls, workers: int, info: Any) -> int:  # beartype cannot check ValidationInfo
        if workers * 4 > info.data.get("exams", workers * 4):
            raise ValueError("expected at most a quarter of exams: each worker fills two shards")
        return workers
