"""A search of which some trials cannot be done."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mgray.errors import DataError
from tune.ledger import OBJECTIVE, STEP, Ledger
from tune.rungs import Rungs
from tune.search import LEDGER, Plan, Progress, run_search
from tune.spaces import RATE, Sample, focal

PLAN = Plan(focal(), samples=4, concurrent=2, seed=0, rungs=Rungs(2, 0, 3.0))


def ledger_of(folder: Path, **ends: str) -> Ledger:
    ledger = Ledger(folder / LEDGER)
    for number, end in enumerate(ends.values()):
        ledger.start(number, {RATE: 1e-4})
        ledger.report(number, {STEP: 1, OBJECTIVE: 0.5})
        ledger.end(number, end)
    return ledger


@pytest.mark.ray
def test_a_trial_that_fails_leaves_the_others_and_is_tried_again(
    ray_cluster: None, tmp_path: Path
) -> None:
    marker = tmp_path / "mended"

    def objective(sample: Sample, folder: Path) -> Iterator[Mapping[str, float]]:
        if folder.name == "0001" and not marker.exists():
            raise DataError("the loss is nan at step 1: lower optimizer.learning_rate")
        yield {STEP: 2, OBJECTIVE: 0.5}

    trials = run_search(PLAN, objective, tmp_path).trials
    assert [trials[n].end for n in range(4)] == ["done", "failed", "done", "done"]
    assert trials[1].error == "the loss is nan at step 1: lower optimizer.learning_rate"
    marker.touch()
    again = run_search(PLAN, objective, tmp_path).trials
    assert {trial.end for trial in again.values()} == {"done"}
    assert again[1].sample == trials[1].sample


def test_the_bar_counts_on_what_failed_to_be_done_again(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, a="failed", b="done", c="stopped")
    assert Progress(ledger, [0, 1, 2], steps=100).before == 1 + 100 + 100
