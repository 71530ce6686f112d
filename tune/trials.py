"""A trial of the paper's search: stage I-A as a Ray Train run, judged at each validation."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final

from mgray.config import replace
from mgray.recipes.fusion import FusionRun, run_fusion
from mgray.training.journal import read_rows
from mgray.training.loop import STOP_FILE
from tune.ledger import HIGH, LOW, OBJECTIVE, STEP
from tune.search import STOP
from tune.spaces import Sample

STAGE: Final = "sm"
LOOK_EVERY_S: Final = 0.5
NAMES: Final = (OBJECTIVE, LOW, HIGH, "fauc_1")


@dataclass(frozen=True)
class FusionTrial:
    """Train one setting and tell each validation.

    Attributes:
        base: What all trials share; its judge is FAUC-1 on positive images.
    """

    base: FusionRun

    def __call__(self, sample: Sample, folder: Path) -> Iterator[Mapping[str, float]]:
        """Train in a run folder, or go on there.

        Yields:
            A row for each validation, also for those of earlier attempts.
        """
        config = replace(self.base, {**sample, "out": str(folder)})
        stage = folder / "stages" / STAGE
        training = in_background(lambda: run_fusion(config, stages=(STAGE,)))
        told = 0
        over = False
        while not over:
            over = training.done()  # before the last look at the metrics
            rows = standings(read_rows(stage / "metrics.jsonl"), self.base.train.keep)
            yield from rows[told:]
            told = max(told, len(rows))
            if (folder / STOP).exists() and stage.is_dir():
                (stage / STOP_FILE).touch()
            if not over:
                time.sleep(LOOK_EVERY_S)
        training.result()


def standings(metrics: Sequence[Mapping[str, Any]], keep: str) -> list[dict[str, float]]:
    """What each validation says of the weights that the stage would save if it ended there.

    Args:
        metrics: Rows of ``metrics.jsonl``.
        keep: ``train.keep``: the last weights, or the best so far.
    """
    found: list[dict[str, float]] = []
    for row in metrics:
        if f"val_{OBJECTIVE}" not in row:
            continue
        now = {name: row[f"val_{name}"] for name in NAMES if f"val_{name}" in row}
        if keep == "best" and found and found[-1][OBJECTIVE] >= now[OBJECTIVE]:
            now = found[-1]
        found.append({**now, STEP: row[STEP]})
    return found


def in_background(work: Callable[[], Any]) -> "Future[Any]":
    """Do something in a thread that dies with the process."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
