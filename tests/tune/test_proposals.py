"""Tests of tune.proposals."""

from pathlib import Path

import pytest
from ray.tune.search import Searcher

from tune.ledger import OBJECTIVE, STEP, Ledger, Trial
from tune.proposals import Proposals, draw
from tune.spaces import ALPHA, GAMMA_0, GAMMA_1, RATE, focal, two_point

WELL = {ALPHA: 0.8, GAMMA_0: 1.0, GAMMA_1: 4.0, RATE: 2e-4}
BADLY = {ALPHA: 0.2, GAMMA_0: 4.0, GAMMA_1: 1.0, RATE: 2e-5}


def known(count: int, end: str = "done") -> list[Trial]:
    """Trials that did well and badly by turns."""
    samples = [(WELL, 0.6), (BADLY, 0.2)]
    return [
        Trial(n, dict(sample), [{STEP: 27, OBJECTIVE: value + n / 1000}], end)
        for n, (sample, value) in ((n, samples[n % 2]) for n in range(count))
    ]


def test_a_draw_depends_on_seed_number_and_what_is_known_only():
    one = draw(focal(), 20, 1, known(20))
    assert one == draw(focal(), 20, 1, known(20))
    assert one != draw(focal(), 21, 1, known(20))
    assert one != draw(focal(), 20, 2, known(20))
    assert one != draw(focal(), 20, 1, known(5))


def test_draws_stay_within_the_ranges():
    space = focal()
    for number in range(20):
        sample = draw(space, number, 0, known(number))
        assert all(space.ranges[key].low <= sample[key] <= space.ranges[key].high for key in sample)


def test_draws_come_near_what_did_well():
    drawn = [draw(focal(), 40 + number, 0, known(40)) for number in range(20)]
    assert sum(abs(one[ALPHA] - WELL[ALPHA]) < abs(one[ALPHA] - BADLY[ALPHA]) for one in drawn) > 15


def test_a_trial_that_was_stopped_counts_as_bad_however_high_it_stood():
    good = [
        Trial(n, dict(BADLY), [{STEP: 27, OBJECTIVE: 0.2 + n / 1000}], "done") for n in range(20)
    ]
    halted = [Trial(20 + n, dict(WELL), [{STEP: 3, OBJECTIVE: 0.9}], "stopped") for n in range(20)]
    drawn = [draw(focal(), 40 + number, 0, good + halted) for number in range(10)]
    assert sum(abs(one[ALPHA] - BADLY[ALPHA]) < abs(one[ALPHA] - WELL[ALPHA]) for one in drawn) > 7


@pytest.mark.parametrize("end", ["failed", None])
def test_trials_without_an_end_or_with_a_failure_are_no_guide(end):
    assert draw(focal(), 40, 0, known(30, end))


def test_a_grid_is_walked_in_its_order(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    proposals = Proposals(two_point(), ledger, 0, range(2))
    given = [proposals.suggest(name) for name in "ab"]
    assert given == [{"trial": n, **point} for n, point in enumerate(two_point().points)]
    assert proposals.suggest("c") == Searcher.FINISHED
    assert [trial.sample for trial in Ledger(ledger.path).trials.values()] == two_point().points


def test_a_trial_that_was_begun_keeps_its_sample(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.start(0, WELL)
    assert Proposals(focal(), ledger, 7, [0]).suggest("a") == {"trial": 0, **WELL}
