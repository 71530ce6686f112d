import numpy as np
import pytest

from mgray.phantom.display import boost, grey_levels, inner_tissue, soft_mask
from mgray.phantom.geometry import Shape
from mgray.phantom.tissue import FAT, SKIN, SKIN_MM


def test_grey_rises_with_the_signal() -> None:
    signal = np.linspace(-1, 3, 64, dtype=np.float32).reshape(8, 8)
    grey = grey_levels(signal, np.ones((8, 8), bool)).ravel()
    assert (np.diff(grey) > 0).all()
    assert 0.05 < grey[0] < grey[-1] < 0.97


def test_an_offset_of_the_whole_image_changes_no_grey_level() -> None:
    signal = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    inner = np.ones((32, 32), bool)
    assert grey_levels(signal + 2, inner) == pytest.approx(grey_levels(signal, inner), abs=1e-4)


def test_boost_lifts_a_detail_and_keeps_flat_parts() -> None:
    image = np.zeros((64, 64), np.float32)
    image[32, 32] = 1
    skin = 2 * (SKIN - FAT) * SKIN_MM
    boosted = boost(image, 0.14, 0.5, 0.5)
    assert boosted[32, 32] > 1.5
    assert boosted[:1, :1].item() == pytest.approx(-skin, abs=1e-3)


def test_the_mask_follows_the_breast_at_every_size(shape: Shape) -> None:
    height, width = shape.inside.shape
    mask = soft_mask(shape, (2 * height, 2 * width))
    assert (mask > 0.5).mean() == pytest.approx(shape.inside.mean(), abs=0.01)


def test_the_grey_scale_is_set_without_skin(shape: Shape) -> None:
    assert shape.distance_mm[inner_tissue(shape)].min() > 4
