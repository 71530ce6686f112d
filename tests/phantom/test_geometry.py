from collections import Counter

import numpy as np
import pytest

from mgray.phantom.geometry import VIEWS, Frame, Shape, build_shape, sample_breast

FRAME = Frame(256, 208, 0.5)
BREAST = sample_breast((1, 1))


@pytest.fixture(params=VIEWS, ids="".join)
def shape(request: pytest.FixtureRequest) -> Shape:
    return build_shape(BREAST, *request.param, FRAME)


def test_density_classes_are_drawn_10_40_40_10() -> None:
    counts = Counter(sample_breast((0, i)).density for i in range(600))
    shares = {density: counts[density] / 600 for density in "abcd"}
    assert shares == pytest.approx({"a": 0.1, "b": 0.4, "c": 0.4, "d": 0.1}, abs=0.06)


def test_denser_breasts_hold_more_gland_and_are_thinner() -> None:
    breasts = [sample_breast((0, i)) for i in range(300)]
    gland, thick = (
        [np.mean([getattr(b, name) for b in breasts if b.density == d]) for d in "abcd"]
        for name in ("gland_fraction", "thickness_mm")
    )
    assert gland == sorted(gland)
    assert thick == sorted(thick, reverse=True)


def test_the_breast_touches_the_chest_wall_and_not_the_far_edge(shape: Shape) -> None:
    assert shape.inside[:, 0].mean() > 0.5
    assert not shape.inside[:, -1].any()


def test_the_nipple_is_the_farthest_point(shape: Shape) -> None:
    reach = shape.inside.sum(1)
    assert abs(reach.argmax() * shape.grid_mm - shape.nipple_y_mm) < 8


def test_the_skin_has_no_steps(shape: Shape) -> None:
    reach = shape.inside.sum(1) * shape.grid_mm
    wide = reach > 0.5 * reach.max()
    assert np.abs(np.diff(reach[wide])).max() < 6


def test_thickness_is_full_inside_and_zero_outside(shape: Shape) -> None:
    assert shape.height_mm.max() == pytest.approx(shape.thickness_mm, rel=1e-3)
    assert not shape.height_mm[~shape.inside].any()


def test_slabs_fill_the_local_thickness(shape: Shape) -> None:
    filled = shape.filling.sum(0) * shape.slab_mm
    deep = shape.distance_mm > 15
    assert filled[deep] == pytest.approx(shape.height_mm[deep], abs=shape.slab_mm)


def test_slabs_are_about_five_mm_and_centred(shape: Shape) -> None:
    assert shape.slab_mm == pytest.approx(5, abs=1)
    assert float(shape.slab_z_mm.sum()) == pytest.approx(0, abs=1e-3)


def test_only_mlo_shows_the_pectoral(shape: Shape) -> None:
    assert bool(shape.pectoral.any()) is (shape.view == "MLO")
    if shape.view == "MLO":
        assert shape.pectoral[0, 0] > 0.2
        assert not shape.pectoral[-1].any()


def test_sides_share_their_outline_but_not_their_nipple() -> None:
    left, right = (build_shape(BREAST, side, "CC", Frame(512, 416, 0.25)) for side in "LR")
    assert left.inside.shape == right.inside.shape
    assert 0.97 < (left.inside == right.inside).mean() < 1


def test_a_larger_field_holds_a_larger_breast() -> None:
    small, large = (build_shape(BREAST, "L", "CC", Frame(256, 208, p)) for p in (0.4, 0.5))
    assert large.depth_mm > small.depth_mm
