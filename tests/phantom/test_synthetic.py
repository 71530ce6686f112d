import numpy as np
import pytest

from mgray.phantom.geometry import Shape
from mgray.phantom.synthetic import sm_grey
from mgray.phantom.tissue import Tissue
from mgray.phantom.tomosynthesis import Tomosynthesis, acquire


@pytest.fixture(scope="module")
def tomo(tissue: Tissue, shape: Shape) -> Tomosynthesis:
    return acquire(tissue.excess, tissue.fat, shape, np.random.default_rng(0))


@pytest.mark.parametrize("size", [(307, 250), (512, 416), (256, 208)])
def test_the_image_has_the_asked_size_and_a_black_background(
    tomo: Tomosynthesis, shape: Shape, size: tuple[int, int]
) -> None:
    grey = sm_grey(tomo, shape, size)
    assert grey.shape == size
    assert 0 <= grey.min() < grey.max() <= 1
    assert not grey[:, -2:].any()


def test_the_breast_has_the_same_place_at_every_size(tomo: Tomosynthesis, shape: Shape) -> None:
    shares = [(sm_grey(tomo, shape, size) > 0).mean() for size in ((256, 208), (512, 416))]
    assert shares[0] == pytest.approx(shares[1], abs=0.01)


def test_what_stands_out_in_one_slice_is_lifted(tomo: Tomosynthesis, shape: Shape) -> None:
    row = int(shape.nipple_y_mm / shape.grid_mm)
    marked = tomo.slices.copy()
    marked[3, row : row + 3, 60:63] += 0.05
    plain, lifted = (
        sm_grey(Tomosynthesis(slices, tomo.central), shape, (256, 208))
        for slices in (tomo.slices, marked)
    )
    change = lifted - plain
    assert change[row + 1, 61] > 0.05
    change[row - 20 : row + 23, 40:83] = 0
    assert np.abs(change).max() < 0.01
