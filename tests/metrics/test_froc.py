from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mgray.metrics.config import Interpolation
from mgray.metrics.froc import curve_statistic, fauc, froc, sensitivity_at
from mgray.metrics.outcomes import Outcomes, select
from tests.metrics.made import MISS, SMALL, any_outcomes, outcomes


def recount(data: Outcomes) -> list[tuple[Fraction, Fraction]]:
    """The curve by counting anew at every distinct score."""
    scores = sorted({*data.lesion_scores, *data.false_scores} - {MISS}, reverse=True)
    points = [(Fraction(0), Fraction(0))]
    for threshold in scores:
        false = sum(score >= threshold for score in data.false_scores.tolist())
        found = sum(score >= threshold for score in data.lesion_scores.tolist())
        points.append((Fraction(false, data.images), Fraction(found, len(data.lesion_scores))))
    return points


def slow_area(points: list[tuple[Fraction, Fraction]], x: Fraction, *, step: bool) -> Fraction:
    """Area by cutting every segment at x, in exact fractions."""
    area = Fraction(0)
    extended = [*points, (max(x, points[-1][0]), points[-1][1])]
    for (x0, y0), (x1, y1) in pairwise(extended):
        if x1 == x0 or x0 >= x:
            continue
        right = min(x1, x)
        end = y0 if step else y0 + (y1 - y0) * (right - x0) / (x1 - x0)
        area += (right - x0) * (y0 + end) / 2
    return area


@given(any_outcomes())
def test_the_curve_equals_a_recount_at_every_threshold(data: Outcomes) -> None:
    curve, slow = froc(data), recount(data)
    np.testing.assert_allclose(curve.fppi, [float(x) for x, _ in slow], atol=1e-12)
    np.testing.assert_allclose(curve.sensitivity, [float(y) for _, y in slow], atol=1e-12)


@given(any_outcomes(), st.sampled_from([Fraction(1, 3), Fraction(1), Fraction(2)]))
def test_the_area_equals_exact_fractions(data: Outcomes, x: Fraction) -> None:
    expected = slow_area(recount(data), x, step=False)
    assert fauc(froc(data), float(x)).raw == pytest.approx(float(expected), abs=1e-12)


@given(any_outcomes(), st.sampled_from([Fraction(1, 3), Fraction(1), Fraction(2)]))
def test_the_step_area_equals_exact_fractions(data: Outcomes, x: Fraction) -> None:
    expected = slow_area(recount(data), x, step=True)
    area = fauc(froc(data, "exact_step"), float(x), "exact_step")
    assert area.raw == pytest.approx(float(expected), abs=1e-12)


@given(any_outcomes())
def test_the_area_over_all_marks_is_the_auc_of_hits_against_false_positives(data: Outcomes) -> None:
    found = data.lesion_scores[data.lesion_scores > MISS]
    if not len(found) or not len(data.false_scores):
        return
    scores = np.r_[found, data.false_scores]
    truth = np.arange(len(scores)) < len(found)
    complete = Outcomes(
        found, np.zeros(len(found), int), data.false_scores, data.false_images, data.images
    )
    curve = froc(complete)
    assert fauc(curve, curve.fppi[-1]).norm == pytest.approx(roc_auc_score(truth, scores))


@given(any_outcomes())
def test_only_the_order_of_scores_matters(data: Outcomes) -> None:
    bent = Outcomes(
        data.lesion_scores**3,
        data.lesion_images,
        data.false_scores**3,
        data.false_images,
        data.images,
    )
    assert fauc(froc(bent)).raw == pytest.approx(fauc(froc(data)).raw)


@given(any_outcomes(), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
def test_one_more_false_positive_never_helps(data: Outcomes, score: float) -> None:
    worse = Outcomes(
        data.lesion_scores,
        data.lesion_images,
        np.r_[data.false_scores, score],
        np.r_[data.false_images, 0],
        data.images,
    )
    steps = [fauc(froc(each, "exact_step"), 1.0, "exact_step").raw for each in (worse, data)]
    assert steps[0] <= steps[1] + 1e-12


@given(any_outcomes())
def test_the_area_lies_between_zero_and_one(data: Outcomes) -> None:
    assert -1e-12 <= fauc(froc(data)).raw <= 1 + 1e-12


def test_equal_scores_enter_together() -> None:
    assert froc(SMALL).thresholds.tolist() == [np.inf, 0.9, 0.8, 0.5, 0.3, 0.1]
    assert froc(SMALL).sensitivity[3] == pytest.approx(2 / 3)
    assert froc(SMALL).fppi[3] == pytest.approx(0.5)


def test_a_short_curve_is_extended_flat_and_says_where_it_ended() -> None:
    short = outcomes([(0.9, 0)], [(0.8, 1)], 2)
    area = fauc(froc(short), 1.0)
    assert area.raw == pytest.approx(1.0)
    assert area.max_fpi == 0.5


def test_raw_and_normalised_area_differ_when_x_is_not_one() -> None:
    area = fauc(froc(SMALL), 2.0)
    assert area.norm == pytest.approx(area.raw / 2)


@pytest.mark.parametrize(
    ("interpolation", "expected"),
    [("exact_step", 5 / 12 + 1 / 12), ("trapezoid", 13 / 24), ("dbtex_interp", 7 / 12)],
)
def test_each_interpolation_gives_its_golden_area(
    interpolation: Interpolation, expected: float
) -> None:
    # points: (0, 1/3) (1/4, 1/3) (1/2, 2/3) (3/4, 2/3) (1, 2/3); dbtex has no point at (1/4, 1/3)
    area = fauc(froc(SMALL, interpolation), 1.0, interpolation).raw
    assert area == pytest.approx(expected)


def test_without_a_lesion_the_area_is_not_a_number() -> None:
    assert np.isnan(fauc(froc(outcomes([], [(0.5, 0)], 1))).raw)


def test_without_a_mark_the_area_is_zero() -> None:
    assert fauc(froc(outcomes([(MISS, 0)], [], 2))).raw == 0


def test_a_band_uses_the_events_beyond_the_margin_too() -> None:
    false = [(0.9 - n / 100, image) for n in range(10) for image in (0, 1)]
    data = outcomes([(0.1, 0), (0.05, 2)], [*false, (0.08, 2), (0.07, 3)], 4)
    weights = np.array([[0.0, 0.0, 1.0, 1.0]])  # those without the many false positives
    grid = np.array([0.0, 0.4, 0.5, 1.0])
    expected = curve_statistic(select(data, weights[0] > 0), grid)(np.ones((1, 2)))
    assert expected[0, -1] == 1
    assert curve_statistic(data, grid)(weights) == pytest.approx(expected)


@given(any_outcomes())
def test_a_curve_at_given_false_positives_is_its_highest_point_there(data: Outcomes) -> None:
    grid = np.array([0.0, 0.3, 1.0])
    values = curve_statistic(data, grid)(np.ones((1, data.images)))[0]
    curve = froc(data)
    at_zero = curve.sensitivity[curve.fppi == 0].max()
    assert values[0] == pytest.approx(at_zero)
    assert (np.diff(values) >= -1e-12).all()


@given(any_outcomes())
def test_sensitivity_at_given_false_positives_is_the_curves(data: Outcomes) -> None:
    grid = np.array([0.25, 0.3, 1.0, 9.0])
    expected = curve_statistic(data, grid)(np.ones((1, data.images)))[0]
    np.testing.assert_allclose(sensitivity_at(froc(data), grid), expected, atol=1e-12)
