"""Tests of tune.trials: what a trial tells of its training."""

import pytest

from mgray.errors import DataError
from tune.ledger import HIGH, LOW, OBJECTIVE, STEP
from tune.trials import in_background, standings

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
        in_background(fail).result(timeout=5)
