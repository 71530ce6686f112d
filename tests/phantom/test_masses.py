import numpy as np
import pytest

from mgray.phantom.geometry import Shape
from mgray.phantom.masses import LOOKS, mass_change, star
from mgray.phantom.placement import Spot
from mgray.phantom.tissue import Tissue


def spot(shape: Shape) -> Spot:
    return Spot(shape.depth_mm * 0.5, shape.nipple_y_mm, 0.0)


@pytest.mark.parametrize("kind", LOOKS)
def test_the_box_fits_the_radius(kind: str, tissue: Tissue, shape: Shape) -> None:
    rng = np.random.default_rng(0)
    (x0, y0, x1, y1), _ = mass_change(rng, kind, (spot(shape), 7.0), shape, tissue)
    centre = spot(shape)
    assert x0 < centre.x < x1
    assert y0 < centre.y < y1
    assert 7 < max(x1 - x0, y1 - y0) < 26


@pytest.mark.parametrize("kind", LOOKS)
def test_a_mass_lies_in_the_slabs_it_reaches(kind: str, tissue: Tissue, shape: Shape) -> None:
    _, patch = mass_change(np.random.default_rng(0), kind, (spot(shape), 5.0), shape, tissue)
    changed = np.abs(patch.change).max((1, 2)) > 1e-4
    assert changed.any()
    assert not changed[np.abs(shape.slab_z_mm) > 5.0 * 1.2 + shape.slab_mm].any()


def test_a_mass_in_fat_adds_attenuation(tissue: Tissue, shape: Shape) -> None:
    fatty = Tissue(np.zeros_like(tissue.gland), tissue.excess, tissue.fat)
    rng = np.random.default_rng(0)
    _, patch = mass_change(rng, "oval_mass", (spot(shape), 7.0), shape, fatty)
    assert patch.change.min() >= 0
    assert patch.change.sum(0).max() == pytest.approx(0.0233 * 14, rel=0.5)


def test_spicules_reach_beyond_the_core(tissue: Tissue, shape: Shape) -> None:
    fatty = Tissue(np.zeros_like(tissue.gland), tissue.excess, tissue.fat)
    areas = {}
    for kind in ("spiculated_mass", "oval_mass"):
        box, patch = mass_change(np.random.default_rng(1), kind, (spot(shape), 6.0), shape, fatty)
        core = (box[2] - box[0]) * (box[3] - box[1])
        areas[kind] = (patch.change.sum(0) > 1e-3).sum() * shape.grid_mm**2 / core
    assert areas["spiculated_mass"] > 1.3 * areas["oval_mass"]


def test_a_smooth_star_is_a_circle() -> None:
    angle = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    assert star(np.random.default_rng(0), angle, 0.0, 3) == pytest.approx(1)
