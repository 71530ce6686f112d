from typing import Any

import numpy as np
import pytest

from mgray.data.blanking import PUBLISHED_GREY, blank
from mgray.data.config import PreprocessConfig

ROW = {"rows": 1000, "columns": 800, "view": "MLO"}


def crop(scale: int = 1) -> np.ndarray:
    """A breast with a bright muscle at its top left and a label beside it."""
    rows, columns = np.mgrid[: 1000 // scale, : 600 // scale] * scale
    image = np.where(np.hypot(rows - 550, columns) < 500, 0.35, 0.0)
    image[columns / 200 + rows / 500 < 1] = 0.75
    image[(rows > 20) & (rows < 60) & (columns > 520) & (columns < 590)] = 1.0
    return image.astype(np.float32)


def blanked(image: np.ndarray, view: str = "MLO", **changes: Any) -> np.ndarray:
    mirrored, reduce = changes.pop("mirrored", False), changes.pop("reduce", 0)
    config = PreprocessConfig(**changes)
    return blank(image.copy(), ROW | {"view": view}, config, mirrored=mirrored, reduce=reduce)


def test_nothing_is_blanked_by_default() -> None:
    np.testing.assert_array_equal(blanked(crop()), crop())


@pytest.mark.parametrize(("reduce", "mirrored"), [(0, False), (0, True), (1, False), (1, True)])
def test_the_muscle_is_blanked_at_any_size_and_side(reduce: int, mirrored: bool) -> None:
    image = crop(2**reduce)
    found = blanked(
        np.ascontiguousarray(image[:, ::-1]) if mirrored else image,
        pectoral="mlo", mirrored=mirrored, reduce=reduce,
    )  # fmt: skip
    found = found[:, ::-1] if mirrored else found
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] * 2**reduce
    muscle, edge = columns / 200 + rows / 500 < 0.94, columns / 200 + rows / 500 > 1.06
    assert (found[muscle] == 0).all()
    np.testing.assert_array_equal(found[edge], image[edge])


def test_a_cc_view_keeps_its_corner_but_as_published() -> None:
    np.testing.assert_array_equal(blanked(crop(), "CC", pectoral="mlo"), crop())
    assert blanked(crop(), "CC", pectoral="as_published")[100, 20] == np.float32(PUBLISHED_GREY)


def test_outside_the_largest_contour_all_is_black() -> None:
    found = blanked(crop(), outside="black")
    inside = np.hypot(*(np.mgrid[:1000, :600] - np.array([550, 0])[:, None, None])) < 499
    np.testing.assert_array_equal(found[inside], crop()[inside])
    assert not found[20:60, 520:590].any()


def test_a_black_crop_stays_black() -> None:
    assert not blanked(np.zeros((50, 40), np.float32), outside="black", pectoral="mlo").any()


def test_a_crop_that_is_all_breast_is_kept() -> None:
    image = np.full((50, 40), 0.5, np.float32)
    np.testing.assert_array_equal(blanked(image, outside="black"), image)
