import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from mgray.metrics.roc import auc, auc_statistic, average_precision, delong, roc_curve


@st.composite
def any_cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Both classes, and scores of few values, so that ties are common."""
    truth = draw(st.lists(st.booleans(), min_size=2, max_size=20).map(lambda t: [True, False, *t]))
    levels = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9])
    scores = draw(st.lists(levels, min_size=len(truth), max_size=len(truth)))
    return np.array(truth), np.array(scores)


CASES = any_cases()
LABELS = np.arange(12) < 5
RNG = np.random.default_rng(2)
GOOD, FAIR = LABELS + RNG.normal(size=12), LABELS + 2 * RNG.normal(size=12)


def slow_delong(truth: np.ndarray, scores: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The formulas of the paper, pair by pair."""
    above, below = [], []
    for each in scores:
        x, y = each[truth], each[~truth]
        pairs = (x[:, None] > y) + 0.5 * (x[:, None] == y)
        above.append(pairs.mean(axis=1))
        below.append(pairs.mean(axis=0))
    return np.mean(above, axis=1), np.cov(above) / truth.sum() + np.cov(below) / (~truth).sum()


@given(CASES)
def test_the_areas_are_sklearns(cases: tuple[np.ndarray, np.ndarray]) -> None:
    assert auc(*cases) == pytest.approx(roc_auc_score(*cases))
    assert average_precision(*cases) == pytest.approx(average_precision_score(*cases))


@given(CASES)
def test_the_curve_is_sklearns(cases: tuple[np.ndarray, np.ndarray]) -> None:
    ours, theirs = roc_curve(*cases), sklearn_roc_curve(*cases, drop_intermediate=False)
    np.testing.assert_allclose(ours.false_positive_rate, theirs[0])
    np.testing.assert_allclose(ours.sensitivity, theirs[1])
    np.testing.assert_array_equal(ours.thresholds, theirs[2])


@given(CASES)
def test_delongs_covariance_is_that_of_all_pairs(cases: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = cases
    if truth.sum() < 2 or (~truth).sum() < 2:
        return
    both = [scores, np.roll(scores, 1)]
    areas, covariance = slow_delong(truth, both)
    found = delong(truth, both)
    np.testing.assert_allclose(found.areas, areas)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)


def test_the_interval_is_the_areas_plus_and_minus_196_standard_errors() -> None:
    found = delong(LABELS, [GOOD])
    half = 1.959964 * np.sqrt(found.covariance[0, 0])
    low, high = found.interval() or (0, 0)
    assert low == pytest.approx(found.areas[0] - half)
    assert high == pytest.approx(min(1, found.areas[0] + half))


def test_the_same_model_twice_has_no_p_value() -> None:
    assert delong(LABELS, [GOOD, GOOD]).p_value() is None


def test_the_p_value_does_not_depend_on_the_order() -> None:
    found = delong(LABELS, [GOOD, FAIR])
    assert found.p_value() == pytest.approx(found.p_value(1, 0))
    assert 0 < (found.p_value() or 0) < 1


def test_delongs_test_holds_its_level() -> None:
    rng, truth = np.random.default_rng(0), np.arange(80) < 30
    rejected = 0
    for _ in range(300):
        shared = truth + rng.normal(size=80)
        noisy = [shared + rng.normal(size=80) for _ in range(2)]
        rejected += (delong(truth, noisy).p_value() or 1) < 0.05
    assert 3 <= rejected <= 30  # 15 expected


def test_one_positive_case_has_an_area_and_no_interval() -> None:
    found = delong(np.array([True, False, False]), [np.array([0.3, 0.1, 0.5])])
    assert found.areas.tolist() == [0.5]
    assert found.interval() is None


def test_one_class_has_no_area() -> None:
    truth, scores = np.ones(3, bool), np.arange(3.0)
    assert np.isnan(auc(truth, scores))
    assert delong(truth, [scores]).interval() is None
    assert np.isnan(average_precision(~truth, scores))


@given(CASES)
def test_a_weight_counts_like_a_repeated_case(cases: tuple[np.ndarray, np.ndarray]) -> None:
    weights = np.random.default_rng(1).integers(0, 3, (6, len(cases[0])))
    weights[:, :2] += 1  # both classes
    found = auc_statistic(*cases)(weights.astype(float))
    for row, value in zip(weights, found, strict=True):
        truth, scores = (np.repeat(each, row) for each in cases)
        assert value == pytest.approx(auc(truth, scores))


def test_the_area_is_the_u_statistic() -> None:
    expected = mannwhitneyu(GOOD[LABELS], GOOD[~LABELS]).statistic / 35
    assert auc(LABELS, GOOD) == pytest.approx(expected)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_perfect_ranking_of_few_cases_has_no_interval(turn: int) -> None:
    truth, scores = np.array([1, 1, 0, 0, 0], bool), turn * np.array([0.9, 0.8, 0.1, 0.2, 0.3])
    found = delong(truth, [scores])
    assert found.areas[0] == (turn > 0)
    assert found.interval() is None
