import numpy as np

from mgray.phantom.calcifications import Grain
from mgray.phantom.geometry import Shape
from mgray.phantom.projection import ffdm_grey
from mgray.phantom.tissue import Tissue


def expose(tissue: Tissue, shape: Shape, grains: list[Grain], seed: int = 0) -> np.ndarray:
    line = tissue.excess.sum(0) + tissue.fat
    return ffdm_grey(line, grains, shape, np.random.default_rng(seed))


def grain(row: int, column: int) -> Grain:
    return Grain(0.0, 0.0, 1.0, 0, row, column, np.full((4, 4), 0.5, np.float32))


def test_grey_levels_stay_within_0_and_1_and_the_background_is_0(
    tissue: Tissue, shape: Shape
) -> None:
    grey = expose(tissue, shape, [])
    assert grey.shape == (512, 2 * shape.inside.shape[1])
    assert 0 <= grey.min() < grey.max() <= 1
    assert not grey[:, -2:].any()


def test_a_grain_brightens_its_pixels_only(tissue: Tissue, shape: Shape) -> None:
    row = int(shape.nipple_y_mm / shape.frame.pixel_mm)
    change = expose(tissue, shape, [grain(row, 120)]) - expose(tissue, shape, [])
    assert change[row : row + 4, 120:124].min() > 0.05
    change[row - 20 : row + 24, 100:144] = 0
    assert np.abs(change).max() < 0.02


def test_a_grain_beyond_the_image_is_cut(tissue: Tissue, shape: Shape) -> None:
    assert np.isfinite(expose(tissue, shape, [grain(-2, -2), grain(510, 10)])).all()


def test_only_the_noise_depends_on_the_stream(tissue: Tissue, shape: Shape) -> None:
    one, other = expose(tissue, shape, [], 1), expose(tissue, shape, [], 2)
    assert not np.array_equal(one, other)
    assert np.abs(one - other).mean() < 0.02


def test_dense_tissue_is_brighter(tissue: Tissue, shape: Shape) -> None:
    grey = expose(tissue, shape, [])[::2, ::2]
    line = tissue.excess.sum(0)
    deep = shape.distance_mm > 15
    dense = deep & (line > np.quantile(line[deep], 0.9))
    fatty = deep & (line < np.quantile(line[deep], 0.1))
    assert grey[dense].mean() > grey[fatty].mean() + 0.15
