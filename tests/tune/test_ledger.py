"""Tests of tune.ledger."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mgray.errors import DataError
from tune.ledger import OBJECTIVE, STEP, Ledger

SAMPLE = {"a.b": 0.5}


def row(step: int, value: float = 0.5) -> dict[str, float]:
    return {STEP: step, OBJECTIVE: value}


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


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


def test_a_line_that_was_cut_off_costs_no_trial_on_a_full_disk(ledger):
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + b'{"trial": 3, "rep')
    with full_disk(0):
        assert Ledger(ledger.path).trials == ledger.trials
    assert ledger.path.read_bytes() == whole


@pytest.mark.parametrize("room", [0, 20])
def test_an_event_that_finds_no_room_is_told_and_leaves_nothing(ledger, room):
    whole = ledger.path.read_bytes()
    with full_disk(len(whole) + room), pytest.raises(OSError, match="File too large"):
        ledger.report(3, row(6))
    assert ledger.path.read_bytes() == whole
    ledger.report(3, row(9))
    assert Ledger(ledger.path).trials == ledger.trials
    assert [r[STEP] for r in ledger.trials[3].reports] == [3, 9]


@pytest.mark.parametrize(
    "line",
    [
        '{"trial": 3, "rep{"trial": 3, "end": "done", "error": ""}',
        "\0\0\0\0",
        '{"trial": 7, "report": {"step": 1, "fauc_1_plus": 0.5}}',
        '{"trial": 3, "end": "done"}',
        "null",
    ],
    ids=["two in one", "zeros", "no start", "no error", "no event"],
)
def test_a_line_that_is_damaged_is_one_line_with_its_number(ledger, line):
    first, *rest = ledger.path.read_text().splitlines()
    ledger.path.write_text("\n".join([first, line, *rest, ""]))
    with pytest.raises(DataError, match=r"ledger\.jsonl line 2 is damaged \(b'.*delete this line"):
        Ledger(ledger.path)
    ledger.path.write_text("\n".join([first, *rest, ""]))
    assert Ledger(ledger.path).trials == ledger.trials


def test_a_report_that_comes_again_counts_once(ledger):
    ledger.report(3, row(3, 0.9))
    ledger.report(3, row(6, 0.6))
    ledger.report(3, row(3, 0.9))
    assert [r[OBJECTIVE] for r in ledger.trials[3].reports] == [0.5, 0.6]


def test_only_trials_that_ended_well_are_not_run_again(ledger):
    assert ledger.open_numbers(6) == [2, 3, 4, 5]


def test_whatever_ended_has_ended_and_the_rest_has_not(ledger):
    assert ledger.unended(6) == [3, 4, 5]


def test_a_failed_trial_that_is_taken_up_again_keeps_its_reports(ledger):
    ledger.start(2, SAMPLE)
    trial = Ledger(ledger.path).trials[2]
    assert (trial.end, trial.error, trial.last) == (None, "", row(3))


def test_a_value_that_is_not_finite_is_refused(ledger):
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.report(3, row(6, float("nan")))
