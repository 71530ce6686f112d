import numpy as np
import pytest
from hypothesis import given
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from mgray.metrics.binary import Confusion, confusion, wilson, youden_threshold
from tests.metrics.test_roc import any_cases


@given(any_cases())
def test_rates_are_sklearns(cases: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = cases
    found, called = confusion(truth, scores, 0.2), scores >= 0.2
    assert found.sensitivity == pytest.approx(recall_score(truth, called))
    assert found.specificity == pytest.approx(recall_score(~truth, ~called))
    assert found.accuracy == pytest.approx(accuracy_score(truth, called))
    assert found.f1 == pytest.approx(f1_score(truth, called, zero_division=0))
    if called.any():
        assert found.precision == pytest.approx(precision_score(truth, called))


def test_a_score_equal_to_the_threshold_is_a_call() -> None:
    assert confusion(np.array([True]), np.array([0.5]), 0.5) == Confusion(1, 0, 0, 0)


def test_nothing_to_count_is_no_rate() -> None:
    empty = Confusion(0, 0, 0, 0)
    rates = (empty.sensitivity, empty.specificity, empty.precision, empty.f1, empty.accuracy)
    assert rates == (None,) * 5


@given(any_cases())
def test_no_threshold_has_a_larger_youden_index(cases: tuple[np.ndarray, np.ndarray]) -> None:
    def index(threshold: float) -> float:
        found = confusion(*cases, threshold)
        return (found.sensitivity or 0) + (found.specificity or 0)

    best = youden_threshold(*cases)
    assert all(index(best) >= index(float(each)) - 1e-12 for each in cases[1])


@pytest.mark.parametrize(("found", "count"), [(0, 5), (3, 7), (60, 61), (44, 44)])
def test_wilsons_interval_is_scipys(found: int, count: int) -> None:
    theirs = binomtest(found, count).proportion_ci(method="wilson")
    assert wilson(found, count) == pytest.approx((theirs.low, theirs.high))


def test_no_case_has_no_interval() -> None:
    assert wilson(0, 0) is None


def test_of_equal_youden_indices_the_highest_threshold_is_taken() -> None:
    """22 of 30 found with 2 of 30 false, and 24 with 4: equal, but not in floats."""
    truth = np.repeat([True, False, True, False, True, False], [22, 2, 2, 2, 6, 26])
    scores = np.repeat([0.9, 0.9, 0.8, 0.8, 0.1, 0.1], [22, 2, 2, 2, 6, 26])
    assert youden_threshold(truth, scores) == 0.9
