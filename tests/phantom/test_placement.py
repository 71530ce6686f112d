import numpy as np
import pytest

from mgray.phantom.geometry import Shape
from mgray.phantom.placement import Patch, Spot, free_slab, slab_at, window
from mgray.phantom.tissue import Tissue


@pytest.mark.parametrize(("row", "column"), [(-2, -1), (2, 2), (7, 8)])
def test_a_patch_is_cut_at_the_edges(row: int, column: int) -> None:
    volume = np.zeros((3, 10, 10))
    patch = Patch(1, row, column, np.ones((1, 5, 5), np.float32))
    volume[patch.where(volume.shape)] += patch.cut(volume.shape)
    height = min(row + 5, 10) - max(row, 0)
    width = min(column + 5, 10) - max(column, 0)
    assert volume.sum() == height * width
    assert not volume[[0, 2]].any()


def test_every_slab_is_found_by_its_centre(shape: Shape) -> None:
    found = [slab_at(float(z), shape) for z in shape.slab_z_mm]
    assert found == list(range(len(shape.slab_z_mm)))


def test_heights_beyond_the_breast_belong_to_its_outer_slabs(shape: Shape) -> None:
    assert slab_at(-999.0, shape) == 0
    assert slab_at(999.0, shape) == len(shape.slab_z_mm) - 1


def test_a_window_is_clipped_to_the_grid(shape: Shape) -> None:
    rows, columns = window(Spot(0.0, 0.0, 0.0), 5.0, shape)
    assert (rows.start, columns.start) == (0, 0)
    assert rows.stop == columns.stop == int(5 / shape.grid_mm + 1)


def test_a_masked_mass_lies_where_its_neighbourhood_is_fattiest(
    tissue: Tissue, shape: Shape
) -> None:
    gland = np.ones_like(tissue.gland)
    gland[2:5] = 0
    spot = Spot(shape.depth_mm / 2, shape.nipple_y_mm, 0.0)
    found = free_slab(spot, 5.0, shape, Tissue(gland, tissue.excess, tissue.fat))
    assert slab_at(found, shape) == 3
