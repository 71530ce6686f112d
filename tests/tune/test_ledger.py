"""Tests of tune.ledger."""

from pathlib import Path

import pytest

from tune.ledger import OBJECTIVE, STEP, Ledger

SAMPLE = {"a.b": 0.5}


def row(step: int, value: float = 0.5) -> dict[str, float]:
    return {STEP: step, OBJECTIVE: value}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """One trial that is done, one that was stopped, one that failed, one that runs."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for number in range(4):
        ledger.start(number, SAMPLE)
        ledger.report(number, row(3))
    ledger.end(0, "done")
    ledger.end(1, "stopped")
    ledger.end(2, "failed", "the loss is nan")
    return ledger


def test_what_was_written_is_read_back(ledger):
    assert Ledger(ledger.path).trials == ledger.trials


def test_a_line_that_was_cut_off_is_dropped_and_written_over(ledger):
    whole = ledger.path.read_text()
    ledger.path.write_text(whole + '{"trial": 3, "rep')
    again = Ledger(ledger.path)
    assert again.trials == ledger.trials
    again.end(3, "done")
    assert Ledger(ledger.path).trials[3].end == "done"


def test_a_report_that_comes_again_counts_once(ledger):
    ledger.report(3, row(3, 0.9))
    ledger.report(3, row(6, 0.6))
    ledger.report(3, row(3, 0.9))
    assert [r[OBJECTIVE] for r in ledger.trials[3].reports] == [0.5, 0.6]


def test_only_trials_that_ended_well_are_not_run_again(ledger):
    assert ledger.open_numbers(6) == [2, 3, 4, 5]


def test_a_failed_trial_that_is_taken_up_again_keeps_its_reports(ledger):
    ledger.start(2, SAMPLE)
    trial = Ledger(ledger.path).trials[2]
    assert (trial.end, trial.error, trial.last) == (None, "", row(3))


def test_a_value_that_is_not_finite_is_refused(ledger):
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.report(3, row(6, float("nan")))
