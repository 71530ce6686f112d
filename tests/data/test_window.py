import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgray.data.window import best_window

BOX = (100.0, 200.0, 740.0, 1480.0)  # cells of 10 x 20 pixels


def mask_of(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_crop_that_fits_is_taken_whole() -> None:
    assert best_window(mask_of(0, 0, 64, 64), BOX, BOX, (2944, 1920)) == BOX


@pytest.mark.parametrize(("y0", "y1"), [(0, 20), (44, 64), (10, 30)])
def test_the_window_holds_all_of_a_breast_that_fits(y0: int, y1: int) -> None:
    x0, top, x1, bottom = best_window(mask_of(0, y0, 64, y1), BOX, BOX, (500, 640))
    assert (x0, x1, bottom - top) == (100, 740, 500)
    assert top <= 200 + 20 * y0
    assert bottom >= 200 + 20 * y1


def test_of_equal_windows_the_most_central_is_taken() -> None:
    assert best_window(mask_of(0, 0, 64, 64), BOX, BOX, (640, 320)) == (260, 520, 580, 1160)
    assert best_window(None, BOX, BOX, (640, 320)) == (260, 520, 580, 1160)


def test_the_margin_around_a_breast_holds_none_of_it() -> None:
    crop = (0.0, 0.0, 840.0, 1680.0)
    assert best_window(mask_of(0, 0, 64, 64), BOX, crop, (1280, 640)) == BOX


@settings(deadline=None)
@given(
    cells=st.lists(st.integers(0, 63), min_size=4, max_size=4),
    size=st.tuples(st.integers(1, 2000), st.integers(1, 1000)),
)
def test_no_window_of_a_fine_search_holds_more(cells: list[int], size: tuple[int, int]) -> None:
    x0, y0 = min(cells[0], cells[2]), min(cells[1], cells[3])
    mask = mask_of(x0, y0, max(cells[0], cells[2]) + 1, max(cells[1], cells[3]) + 1)
    full = np.zeros((1480, 740))
    full[200:, 100:] = np.repeat(np.repeat(mask, 20, axis=0), 10, axis=1)
    sums = np.pad(full.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    height, width = min(size[0], 1280), min(size[1], 640)
    whole = (
        sums[200 + height :, 100 + width :]
        - sums[200 : 1481 - height, 100 + width :]
        - sums[200 + height :, 100 : 741 - width]
        + sums[200 : 1481 - height, 100 : 741 - width]
    )
    left, top, right, bottom = map(int, best_window(mask, BOX, BOX, size))
    held = full[top:bottom, left:right].sum()
    # starts are five and ten pixels apart at most
    assert held >= whole.max() - 5 * height - 10 * width
