from typing import Any

import numpy as np
import pytest

from mgray.data.domain import WIDENED, measure_domain, outside, statistics
from mgray.data.table import ImageTable
from mgray.dicom.breast import pack_mask

HALF = np.tri(64).astype(bool)
FULL = np.ones((64, 64), bool)


@pytest.fixture
def square(make_row: Any) -> dict[str, Any]:
    """A breast of 128 x 256 pixels of one grey, a quarter of white."""
    stored = np.zeros((512, 512))
    stored[64:320, :128] = 1024
    return dict(
        make_row(
            stored,
            breast_box=[0, 64, 128, 320],
            breast_mask=pack_mask(FULL),
            imager_pixel_spacing_mm=[0.5, 0.5],
        )
    )


def test_grey_area_and_spacing_are_measured(square: dict[str, Any]) -> None:
    found = statistics(square)
    assert found["pixel_spacing_mm"] == 0.5
    assert found["breast_area_cm2"] == pytest.approx(6.4 * 12.8)
    assert found["breast_grey"] == pytest.approx(0.25, abs=0.01)


def test_only_the_mask_counts(square: dict[str, Any]) -> None:
    found = statistics(square | {"breast_mask": pack_mask(HALF)})
    assert found["breast_area_cm2"] == pytest.approx(6.4 * 6.4, rel=0.05)


def test_a_calibrated_spacing_stands_in_for_the_detectors(square: dict[str, Any]) -> None:
    other = square | {"imager_pixel_spacing_mm": None, "pixel_spacing_mm": [0.25, 0.25]}
    assert statistics(other)["pixel_spacing_mm"] == 0.25


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"imager_pixel_spacing_mm": None}, {"breast_grey"}),
        ({"imager_pixel_spacing_mm": [0.0, 0.0]}, {"breast_grey"}),
        ({"breast_box": None, "breast_mask": None}, {"pixel_spacing_mm"}),
    ],
)
def test_what_is_unknown_is_left_out(
    square: dict[str, Any], changes: dict[str, Any], left: set[str]
) -> None:
    assert statistics(square | changes).keys() == left


def test_the_range_is_that_of_the_training_split(make_row: Any, write_table: Any) -> None:
    rows = [
        make_row(
            image_id=f"{kind}{number}",
            exam_id=f"e{number}",
            image_kind=kind,
            pair_key=f"p{number}",
            pair_role=kind,
            split="val" if number == 3 else "train",
            imager_pixel_spacing_mm=[spacing] * 2 if kind == "synthetic_2d" else [9.0, 9.0],
        )
        for number, spacing in enumerate((0.1, 0.2, 0.15, 7.0))
        for kind in ("synthetic_2d", "ffdm")
    ]
    domain = measure_domain(ImageTable.open(write_table(rows)), "sm")
    assert domain == {"pixel_spacing_mm": (0.1, 0.2)}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (1.0, []),
        (2.0 * WIDENED, []),
        (1.0 / WIDENED, []),
        (2.0 * WIDENED + 0.01, ["breast_grey"]),
        (1.0 / WIDENED - 0.01, ["breast_grey"]),
        (float("nan"), ["breast_grey"]),
    ],
)
def test_a_fifth_beyond_the_range_is_outside(value: float, names: list[str]) -> None:
    assert outside({"breast_grey": value}, {"breast_grey": (1.0, 2.0)}) == names


def test_a_statistic_that_is_unknown_is_not_outside() -> None:
    assert outside({}, {"breast_grey": (1.0, 2.0)}) == []
