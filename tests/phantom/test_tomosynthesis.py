import numpy as np
import pytest

from mgray.phantom.geometry import Shape
from mgray.phantom.tissue import Tissue
from mgray.phantom.tomosynthesis import acquire


def test_slices_are_differences_from_their_mean(tissue: Tissue, shape: Shape) -> None:
    tomo = acquire(tissue.excess, tissue.fat, shape, np.random.default_rng(0))
    assert tomo.slices.shape == tissue.excess.shape
    assert tomo.slices.mean(0) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("slab", [1, 4])
def test_an_object_is_sharpest_in_its_own_slice(tissue: Tissue, shape: Shape, slab: int) -> None:
    row = int(shape.nipple_y_mm / shape.grid_mm)
    marked = tissue.excess.copy()
    marked[slab, row : row + 2, 60:62] += 1.0
    with_, without = (
        acquire(v, tissue.fat, shape, np.random.default_rng(0)) for v in (marked, tissue.excess)
    )
    peaks = (with_.slices - without.slices)[:, row : row + 2, 60:62].mean((1, 2))
    assert peaks.argmax() == slab


def test_the_central_projection_keeps_what_lies_in_any_slab(tissue: Tissue, shape: Shape) -> None:
    tomo = acquire(tissue.excess, tissue.fat, shape, np.random.default_rng(0))
    deep = shape.distance_mm > 10
    line = tissue.excess.sum(0)
    assert np.corrcoef(tomo.central[deep], line[deep])[0, 1] > 0.9


def test_scatter_compresses_the_signal(tissue: Tissue, shape: Shape) -> None:
    tomo = acquire(tissue.excess, tissue.fat, shape, np.random.default_rng(0))
    deep = shape.distance_mm > 10
    ratio = tomo.central[deep].mean() / tissue.excess.sum(0)[deep].mean()
    assert ratio == pytest.approx(1 / 1.45, rel=0.03)
