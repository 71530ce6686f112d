import numpy as np
import pytest

from mgray.recipes.bench.fidelity import both, contrast, fidelity_lines, shifted

Y, X = np.mgrid[:512, :512]
SMOOTH = np.int32(2000 + 500 * np.sin(Y / 30) * np.cos(X / 40))
ALL = np.ones(SMOOTH.shape, dtype=bool)


@pytest.mark.parametrize("reduce", [1, 2])
def test_the_shift_of_the_band_is_taken_off(reduce: int) -> None:
    low, area = both(SMOOTH, reduce)
    inner = (slice(4, -4), slice(4, -4))
    assert np.abs(shifted(low, reduce) - area)[inner].mean() < 2
    assert np.abs(low - area)[inner].mean() > 3


def test_the_band_keeps_more_of_small_dots_than_the_area_average() -> None:
    low, area = contrast(SMOOTH, ALL, 4.0, 1)
    assert low > area > 0.8


def test_half_and_quarter_size_have_a_line() -> None:
    lines = list(fidelity_lines(SMOOTH, ALL, 12))
    assert [line[:9] for line in lines] == ["1/2: PSNR", "1/4: PSNR"]
