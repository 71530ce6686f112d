import numpy as np
import pytest
from hypothesis import given

from mgray.metrics.operating import OperatingPoint, operate, operating_threshold
from mgray.metrics.outcomes import Outcomes
from tests.metrics.made import MISS, SMALL, any_outcomes, outcomes


def test_healthy_and_positive_images_are_counted_apart() -> None:
    # lesions of images 0, 1, 1; false positives of images 2, 3, 0, 2
    assert operate(SMALL, 0.3) == OperatingPoint(
        threshold=0.3,
        sensitivity=2 / 3,
        image_sensitivity=1.0,
        fppi=3 / 4,
        fppi_healthy=1.0,
        fppi_positive=1 / 2,
    )


def test_without_images_of_a_kind_there_is_no_rate() -> None:
    healthy = operate(outcomes([], [(0.5, 0)], 1), 0.1)
    assert (healthy.sensitivity, healthy.fppi_positive, healthy.fppi_healthy) == (None, None, 1.0)


@given(any_outcomes())
def test_the_mean_over_both_kinds_is_that_over_all(data: Outcomes) -> None:
    point, positive = operate(data, 0.25), data.positive
    parts = [(point.fppi_positive, positive.sum()), (point.fppi_healthy, (~positive).sum())]
    total = sum(rate * count for rate, count in parts if rate is not None)
    assert point.fppi == pytest.approx(total / data.images)


def test_the_operating_threshold_is_the_lowest_within_the_limit() -> None:
    assert operating_threshold(SMALL, 0.5) == 0.5
    assert operating_threshold(SMALL, 0.74) == 0.5
    assert operating_threshold(SMALL, 1.0) == 0.1


def test_the_operating_threshold_is_above_all_scores_where_the_first_is_too_many() -> None:
    data = outcomes([(0.2, 0)], [(0.9, 0), (0.9, 0)], 1)
    assert operating_threshold(data, 1.0) == np.nextafter(0.9, 1)


def test_a_model_without_marks_has_the_threshold_zero() -> None:
    assert operating_threshold(outcomes([(MISS, 0)], [], 1)) == 0.0
