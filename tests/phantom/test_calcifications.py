import numpy as np
import pytest

from mgray.phantom.calcifications import calcification_grains
from mgray.phantom.geometry import Shape
from mgray.phantom.placement import Spot
from mgray.phantom.tissue import CALCIUM


def clusters(shape: Shape, malignant: bool) -> list[list]:
    spot = Spot(shape.depth_mm * 0.5, shape.nipple_y_mm, 0.0)
    return [calcification_grains((i, 0), spot, shape, malignant, 1.0) for i in range(12)]


def test_malignant_clusters_hold_more_and_smaller_grains(shape: Shape) -> None:
    many, few = clusters(shape, True), clusters(shape, False)
    assert np.mean([len(c) for c in many]) > np.mean([len(c) for c in few])
    assert max(g.diameter_mm for c in many for g in c) <= 0.55
    assert min(g.diameter_mm for c in few for g in c) >= 0.35


def test_a_grain_holds_no_more_calcium_than_its_size(shape: Shape) -> None:
    for cluster in clusters(shape, True):
        for grain in cluster:
            assert grain.integral.min() >= 0
            assert 0 < grain.integral.max() <= CALCIUM * grain.diameter_mm


def test_grains_lie_under_the_skin(shape: Shape) -> None:
    for cluster in clusters(shape, False):
        for grain in cluster:
            row, column = int(grain.y / shape.grid_mm), int(grain.x / shape.grid_mm)
            assert shape.distance_mm[row, column] >= 4


def test_the_coarse_patch_keeps_the_integral(shape: Shape) -> None:
    grain = clusters(shape, False)[0][0]
    patch = grain.coarse()
    assert patch.change.sum() * 4 == pytest.approx(grain.integral.sum(), rel=1e-4)
    assert (patch.row * 2, patch.column * 2) == (grain.row, grain.column)


def test_the_patch_is_centred_on_the_grain(shape: Shape) -> None:
    grain = clusters(shape, False)[0][0]
    rows, columns = np.indices(grain.integral.shape)
    weight = grain.integral / grain.integral.sum()
    y = (grain.row + (rows * weight).sum() + 0.5) * shape.frame.pixel_mm
    x = (grain.column + (columns * weight).sum() + 0.5) * shape.frame.pixel_mm
    assert (x, y) == pytest.approx((grain.x, grain.y), abs=0.05)
