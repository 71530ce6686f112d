"""Tests of tune.rungs."""

import numpy as np
import pytest

from tune.ledger import HIGH, LOW, OBJECTIVE, STEP, Trial
from tune.rungs import Rungs

RUNGS = Rungs(steps=27, count=2, reduction=3.0)
HALF = 0.04


def row(step: int, value: float, half: float | None = HALF) -> dict[str, float]:
    known = {} if half is None else {LOW: value - half, HIGH: value + half}
    return {STEP: step, OBJECTIVE: value, **known}


def trials(*values: float, step: int = 3, half: float | None = HALF) -> dict[int, Trial]:
    """Trials with one report each; the last one is asked about."""
    return {n: Trial(n, {}, [row(step, value, half)]) for n, value in enumerate(values)}


@pytest.mark.parametrize(
    ("steps", "count", "reduction", "wanted"),
    [(27, 2, 3.0, [9, 3]), (320, 2, 3.0, [107, 36]), (27, 0, 3.0, []), (2, 3, 3.0, [1])],
)
def test_rungs_are_powers_of_the_reduction_before_the_end(steps, count, reduction, wanted):
    assert Rungs(steps, count, reduction).milestones == wanted


def test_a_trial_whose_interval_lies_below_the_cut_is_worse():
    assert RUNGS.is_worse(trials(0.5, 0.5, 0.5, 0.45), 3)


def test_a_trial_that_is_below_the_cut_by_noise_goes_on():
    assert not RUNGS.is_worse(trials(0.5, 0.5, 0.5, 0.47), 3)


def test_the_cut_is_that_of_the_best_third():
    others = np.linspace(0.3, 0.6, 10)
    cut = float(np.quantile(others, 2 / 3))
    assert RUNGS.is_worse(trials(*others, cut - HALF - 0.001), 10)
    assert not RUNGS.is_worse(trials(*others, cut - HALF + 0.001), 10)


def test_without_an_interval_nothing_is_worse():
    assert not RUNGS.is_worse(trials(0.5, 0.5, 0.1, half=None), 2)


def test_the_first_at_a_rung_has_nobody_to_be_worse_than():
    assert not RUNGS.is_worse(trials(0.1), 0)


def test_before_the_first_rung_nothing_is_worse():
    assert not RUNGS.is_worse(trials(0.5, 0.5, 0.1, step=2), 2)


def test_a_trial_is_compared_once_at_a_rung():
    known = trials(0.5, 0.5, 0.1)
    known[2].reports.append(row(6, 0.1))
    assert not RUNGS.is_worse(known, 2)


def test_a_trial_at_its_end_is_not_stopped():
    assert not RUNGS.is_worse(trials(0.5, 0.5, 0.1, step=27), 2)


def test_others_count_with_what_they_had_at_that_rung():
    known = trials(0.3, 0.3, 0.28)
    for number in (0, 1):
        known[number].reports.append(row(9, 0.6))
    assert not RUNGS.is_worse(known, 2)
    known[2].reports.append(row(9, 0.5))
    assert RUNGS.is_worse(known, 2)


def test_of_equal_settings_hardly_one_is_stopped_where_plain_halving_stops_most():
    random = np.random.default_rng(0)
    noise = random.normal(0.5, HALF / 1.96, 300)
    by_interval = stopped(noise, HALF)
    by_point = stopped(noise, 0.0)
    assert by_interval < 0.1 * len(noise)  # 6 % of them in the limit, if patients were not shared
    assert by_point > 0.6 * len(noise)


def stopped(values: np.ndarray, half: float) -> int:
    """How many of the trials are stopped at the first rung, one coming after the other."""
    known: dict[int, Trial] = {}
    count = 0
    for number, value in enumerate(values):
        known[number] = Trial(number, {}, [row(3, value, half)])
        count += RUNGS.is_worse(known, number)
    return count
