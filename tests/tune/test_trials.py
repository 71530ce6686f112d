"""Tests of tune.trials: what a trial tells of its training."""

import json
import time
from pathlib import Path

import pytest

from mgray.errors import DataError
from mgray.recipes.fusion import FusionRun, smoke
from mgray.training.loop import STOP_FILE
from tune import trials
from tune.ledger import HIGH, LOW, OBJECTIVE, STEP
from tune.search import STOP
from tune.trials import FusionTrial, in_background, standings

METRICS = [
    {"step": 0, "val_loss": 2.0, "val_fauc_1_plus": 0.1, "val_fauc_1": 0.05},
    {"step": 10, "loss": 1.0, "learning_rate": 1e-3},
    {
        "step": 10,
        "val_fauc_1_plus": 0.5,
        "val_fauc_1_plus_low": 0.4,
        "val_fauc_1_plus_high": 0.6,
    },
    {"step": 20, "val_fauc_1_plus": 0.3},
]


def test_every_validation_is_told_with_its_interval():
    assert standings(METRICS, "last") == [
        {STEP: 0, OBJECTIVE: 0.1, "fauc_1": 0.05},
        {STEP: 10, OBJECTIVE: 0.5, LOW: 0.4, HIGH: 0.6},
        {STEP: 20, OBJECTIVE: 0.3},
    ]


def test_a_stage_that_keeps_its_best_weights_is_judged_by_them():
    told = standings(METRICS, "best")
    assert told[-1] == {STEP: 20, OBJECTIVE: 0.5, LOW: 0.4, HIGH: 0.6}


def test_what_fails_in_the_background_is_raised_when_asked_for():
    def fail() -> None:
        raise DataError("no")

    with pytest.raises(DataError, match="no"):
        in_background(fail).result(timeout=60)


def endless(config: FusionRun, stages: tuple[str, ...]) -> None:
    """Train until asked to stop, or fail where nobody asks."""
    stage = config.out / "stages" / stages[0]
    stage.mkdir(parents=True)
    (stage / "metrics.jsonl").write_text(json.dumps(METRICS[0]) + "\n")
    for _ in range(200):
        if (stage / STOP_FILE).exists():
            rows = "".join(json.dumps(row) + "\n" for row in METRICS)
            (stage / "metrics.jsonl").write_text(rows)
            return
        time.sleep(0.05)
    raise DataError("nobody asked")


def test_a_trial_that_is_asked_to_stop_passes_it_on_and_tells_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "run_fusion", endless)
    monkeypatch.setattr(trials, "LOOK_EVERY_S", 0.05)
    told = []
    for row in FusionTrial(smoke())({}, tmp_path):
        told.append(row[STEP])
        (tmp_path / STOP).touch()
    assert told == [0, 10, 20]
