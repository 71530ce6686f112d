"""Tests of tune.table."""

from pathlib import Path

import pytest

from tune.ledger import HIGH, LOW, OBJECTIVE, STEP, Ledger
from tune.table import build_rows, rivals_of, winner_of


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Three finished trials, two stopped, one failed, one that runs."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    reached = [(27, 0.50), (27, 0.60), (27, 0.58), (3, 0.90), (9, 0.30), (6, 0.40), (3, 0.20)]
    for number, (step, value) in enumerate(reached):
        ledger.start(number, {"a.b": number / 10})
        ledger.report(number, {STEP: step, OBJECTIVE: value, LOW: value - 0.03, HIGH: value + 0.03})
    for number, end in enumerate(["done"] * 3 + ["stopped"] * 2 + ["failed"]):
        ledger.end(number, end, "it broke" if end == "failed" else "")
    return ledger


def test_finished_trials_stand_first_then_those_stopped_late_and_failures_last(ledger):
    assert [row["trial"] for row in build_rows(ledger)] == [1, 2, 0, 4, 3, 6, 5]


def test_a_row_tells_sample_measures_steps_and_error(ledger):
    assert build_rows(ledger)[-1] == pytest.approx({
        "trial": 5, "end": "failed", "a.b": 0.5, "fauc_1": None, OBJECTIVE: 0.4, LOW: 0.37,
        HIGH: 0.43, "steps": 6, "error": "it broke",
    })  # fmt: skip


def test_the_winner_was_trained_to_the_end(ledger):
    assert winner_of(ledger.trials.values()).number == 1


def test_rivals_are_those_whose_interval_reaches_the_winner(ledger):
    trials = ledger.trials.values()
    assert rivals_of(trials, winner_of(trials)) == 1


def test_a_search_without_a_finished_trial_has_no_winner(tmp_path):
    assert winner_of(Ledger(tmp_path / "ledger.jsonl").trials.values()) is None
