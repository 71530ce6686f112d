import cv2
import numpy as np
import pytest

from mgray.dicom.breast import (
    MASK_SIDE,
    breast_box,
    breast_mask,
    fuller_half,
    pack_mask,
    pixels_face,
    small_copy,
    unpack_mask,
)


def half_disc(height=512, width=400, radius=180):
    """A breast at the left edge that faces right, on air with a little noise."""
    image = np.random.default_rng(0).normal(20, 2, (height, width))
    y, x = np.mgrid[:height, :width]
    inside = ((y - height / 2) ** 2 + (x * 0.9) ** 2) < radius**2
    return np.where(inside, 600 + image * 5, image).astype(np.float32), inside


def test_breast_is_found():
    image, inside = half_disc()
    mask = breast_mask(image)
    assert (mask == inside).mean() > 0.98


def test_box_bounds_the_breast():
    image, _ = half_disc()
    x0, y0, x1, y1 = breast_box(breast_mask(image), 512, 400)
    np.testing.assert_allclose([x0, y0, x1, y1], [0, 76, 200, 436], atol=4)


def test_box_is_scaled_to_the_full_image():
    mask = np.zeros((10, 8), bool)
    mask[2:5, 3:8] = True
    assert breast_box(mask, 105, 80) == [30, 21, 80, 53]


@pytest.mark.parametrize("size", [(3328, 2560), (2457, 1996), (2294, 1914), (300, 200)])
@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.int32])
def test_small_copy_is_the_area_average(size, kind):
    y, x = np.mgrid[: size[0], : size[1]]
    image = (2000 + 1000 * np.sin(x / 40) + 1000 * np.cos(y / 30)).astype(kind)
    small = small_copy(image)
    area = cv2.resize(image.astype(np.float32), small.shape[::-1], interpolation=cv2.INTER_AREA)
    assert max(small.shape) == min(512, max(size))
    assert np.abs(small - area).max() < 0.02 * area.max()


@pytest.mark.parametrize(("flip", "face"), [(False, "right"), (True, "left")])
def test_face_is_away_from_the_chest_wall(flip, face):
    image, _ = half_disc()
    mask = breast_mask(image[:, ::-1].copy() if flip else image)
    assert pixels_face(mask) == face


def test_a_square_has_no_face():
    assert pixels_face(np.ones((20, 20), bool)) == "unknown"


@pytest.mark.parametrize(("start", "face"), [(0, "right"), (30, "right"), (31, "left")])
def test_p5_looks_which_half_holds_more(start, face):
    mask = np.zeros((10, 100), bool)
    mask[2:8, start : start + 40] = True
    assert fuller_half(mask) == face


def test_a_mask_of_whole_cells_survives_packing():
    cells = np.random.default_rng(0).random((MASK_SIDE, MASK_SIDE)) < 0.5
    cells[[0, -1]] = cells[:, [0, -1]] = True  # it fills its box
    mask = np.pad(np.repeat(np.repeat(cells, 3, axis=0), 2, axis=1), ((9, 4), (0, 7)))
    np.testing.assert_array_equal(unpack_mask(pack_mask(mask)), cells)


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (500, 20)])
def test_a_full_mask_is_packed_full(shape):
    assert unpack_mask(pack_mask(np.ones(shape, bool))).all()


def test_a_packed_breast_is_short():
    assert len(pack_mask(half_disc()[1])) < 200


def test_film_labels_and_bright_edges_are_left_out():
    image, inside = half_disc()
    label = np.zeros(image.shape, np.uint8)
    cv2.putText(label, "R MLO", (250, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1, 4)
    image[label > 0] = 900
    image[:4], image[-4:], image[:, -5:] = 1000, 1000, 1000
    mask = breast_mask(image)
    assert (mask == inside).mean() > 0.96
    assert not mask[:60, 230:].any()


def test_a_strip_that_erosion_takes_off_is_no_breast():
    image, _ = half_disc()
    image[:, 388:] = 600  # 12 of 512: thinner than twice 100 pixels of 4096
    assert breast_box(breast_mask(image), 512, 400)[2] < 215


def test_nipple_is_kept():
    image, _ = half_disc()
    image[250:262, 195:207] = 600
    x1 = breast_box(breast_mask(image), 512, 400)[2]
    assert x1 >= 205


@pytest.mark.parametrize("value", [0.0, 4095.0])
def test_a_constant_image_has_no_breast(value):
    assert breast_mask(np.full((64, 64), value, np.float32)) is None


def test_a_speck_is_no_breast():
    image = np.random.default_rng(0).normal(20, 2, (512, 400)).astype(np.float32)
    image[100:104, 100:104] = 900
    assert breast_mask(image) is None


def test_small_copy_keeps_the_mean():
    image, _ = half_disc(1024, 800)
    small = small_copy(image)
    assert small.shape == (512, 400)
    assert small.mean() == pytest.approx(image.mean(), rel=1e-4)


def test_tiny_images_stay_as_they_are():
    assert small_copy(np.eye(5)).shape == (5, 5)
