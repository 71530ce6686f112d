import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from mgray.metrics.calibration import brier_score, expected_calibration_error, reliability

RNG = np.random.default_rng(4)
PROBABILITIES = RNG.random(500)
TRUTH = RNG.random(500) < PROBABILITIES**2


def test_the_curve_is_sklearns() -> None:
    for bins, strategy in (("width", "uniform"), ("mass", "quantile")):
        curve = reliability(TRUTH, PROBABILITIES, 8, bins)
        observed, predicted = calibration_curve(TRUTH, PROBABILITIES, n_bins=8, strategy=strategy)
        assert [each.observed for each in curve] == pytest.approx(observed)
        assert [each.predicted for each in curve] == pytest.approx(predicted)
        assert sum(each.cases for each in curve) == 500


def test_the_error_is_the_mean_distance_over_cases() -> None:
    truth, probabilities = np.array([True, False, True, True]), np.array([0.1, 0.1, 0.9, 0.9])
    curve = reliability(truth, probabilities)
    assert expected_calibration_error(curve) == pytest.approx((0.4 * 2 + 0.1 * 2) / 4)


def test_true_probabilities_have_a_small_error_and_bent_ones_a_large() -> None:
    rng = np.random.default_rng(0)
    honest = rng.random(20_000)
    truth = rng.random(20_000) < honest
    assert expected_calibration_error(reliability(truth, honest)) < 0.015
    assert expected_calibration_error(reliability(truth, honest**3)) > 0.1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 12))
def test_no_case_is_lost(values: list[float], count: int) -> None:
    probabilities = np.array(values)
    truth = probabilities > 0.5
    for bins in ("width", "mass"):
        assert sum(each.cases for each in reliability(truth, probabilities, count, bins)) == len(
            values
        )


def test_brier_is_sklearns() -> None:
    assert brier_score(TRUTH, PROBABILITIES) == pytest.approx(
        brier_score_loss(TRUTH, PROBABILITIES)
    )


def test_no_case_has_no_error() -> None:
    assert np.isnan(expected_calibration_error([]))
