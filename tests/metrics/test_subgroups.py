import numpy as np
import pytest

from mgray.metrics.froc import fauc, froc
from mgray.metrics.outcomes import select
from mgray.metrics.subgroups import AGES, SIZES_MM, LesionGroup, band, by_images, by_lesions
from tests.metrics.made import MISS, outcomes

DATA = outcomes(
    [(0.9, 0), (0.5, 1), (MISS, 1), (0.7, 3)],
    [(0.8, 2), (0.5, 3), (0.3, 0), (0.1, 2)],
    6,
)
SCORES = np.array([0.9, 0.5, 0.8, 0.7, 0.0, 0.0])
DENSITY = ["a", "b", "a", "b", "a", None]


def test_each_group_is_measured_on_its_own_images() -> None:
    row = by_images(DENSITY, DATA, SCORES, threshold=0.4)["a"]
    assert (row.images, row.positive, row.lesions, row.found) == (3, 1, 1, 1)
    assert row.sensitivity == 1.0
    assert row.fppi == pytest.approx(1 / 3)
    own = select(DATA, np.array([group == "a" for group in DENSITY]))
    assert row.fauc_1 == pytest.approx(fauc(froc(own)).raw)
    assert row.auc == 1.0


def test_the_groups_together_hold_everything_once() -> None:
    rows = by_images(DENSITY, DATA, SCORES, threshold=0.4)
    assert list(rows) == ["a", "b", "unknown"]
    assert sum(row.images for row in rows.values()) == DATA.images
    assert sum(row.lesions for row in rows.values()) == len(DATA.lesion_scores)


def test_a_group_without_a_lesion_has_no_rates_of_lesions() -> None:
    row = by_images(DENSITY, DATA, SCORES, threshold=0.4)["unknown"]
    assert (row.sensitivity, row.sensitivity_ci95, row.fauc_1, row.auc, row.auc_ci95) == (None,) * 5
    assert row.fppi == 0


def test_lesions_are_counted_by_their_own_groups() -> None:
    rows = by_lesions(["mass", "mass", "calcification", None], DATA, threshold=0.4)
    assert rows["mass"] == LesionGroup(2, 2, 1.0, rows["mass"].sensitivity_ci95)
    assert rows["calcification"].sensitivity == 0
    assert rows["unknown"].found == 1


@pytest.mark.parametrize(
    ("value", "name"),
    [(5.0, "<10 mm"), (10.0, "10-20 mm"), (19.9, "10-20 mm"), (50.0, "50+ mm"), (None, None)],
)
def test_a_size_falls_into_one_band(value: float | None, name: str | None) -> None:
    assert band(value, SIZES_MM, "mm") == name


def test_an_age_that_is_not_a_number_is_unknown() -> None:
    assert band(float("nan"), AGES, "years") is None
    assert band(62.0, AGES, "years") == "60-70 years"
