import numpy as np
import pytest

from mgray.metrics.bootstrap import Resampled
from mgray.metrics.seeds import over_seeds

RANDOM = np.random.default_rng(0)
PATIENTS = RANDOM.normal(0, 1, 4000)
"""What resampled patients do to every seed alike."""


def run(value: float, spread: float = 1.0) -> Resampled:
    return Resampled(value, value + spread * PATIENTS)


def test_the_value_is_the_mean_over_seeds() -> None:
    assert over_seeds([run(0.2), run(0.6)], 0).point == pytest.approx(0.4)


def test_one_seed_is_itself() -> None:
    alone = over_seeds([run(0.2)], 0)
    assert np.array_equal(alone.drawn, run(0.2).drawn)


def test_equal_seeds_leave_the_patients_interval() -> None:
    whole = over_seeds([run(0.2)] * 3, 0).interval()
    assert whole == pytest.approx(run(0.2).interval())


def test_seeds_add_their_own_spread() -> None:
    values = (0.0, 3.0, 6.0)
    spread = over_seeds([run(value) for value in values], 0).drawn.var()
    assert spread == pytest.approx(1 + np.var(values) / 3, rel=0.1)


def test_differences_are_paired_over_seeds_and_patients() -> None:
    one, other = (over_seeds([run(v + shift) for v in (0.0, 5.0)], 7) for shift in (0.3, 0.0))
    assert (one - other).interval() == pytest.approx((0.3, 0.3))


def test_the_draws_depend_on_the_seed() -> None:
    runs = [run(0.0), run(5.0)]
    assert np.array_equal(over_seeds(runs, 1).drawn, over_seeds(runs, 1).drawn)
    assert not np.array_equal(over_seeds(runs, 1).drawn, over_seeds(runs, 2).drawn)
