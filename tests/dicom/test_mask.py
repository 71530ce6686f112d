import io

import h5py
import numpy as np
import pytest
from PIL import Image

from mgray.dicom.child import DecodeChild
from mgray.dicom.door import read_file
from mgray.dicom.example import example_file
from mgray.dicom.limits import Limits
from mgray.dicom.mask import bound, read_mask

SHAPE = (96, 64)
BOX = (10, 30, 22, 46)


def mask(shape=SHAPE, box=BOX, value=255):
    pixels = np.zeros(shape, np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = value
    return pixels


def cutout():
    return np.random.default_rng(0).integers(0, 4000, (16, 12)).astype(np.uint16)


@pytest.fixture
def put(tmp_path):
    def write(name, pixels, bits=8):
        (tmp_path / name).write_bytes(example_file(pixels, bits_stored=bits))
        return tmp_path / name

    return write


def found(*paths):
    made = read_mask(paths, *SHAPE, Limits())
    return made.box, made.flags


def test_mask_is_bounded_to_the_pixel(put):
    assert found(put("m.dcm", mask())) == (list(BOX), [])


def test_sixteen_bit_mask_too(put):
    assert found(put("m.dcm", mask().astype(np.uint16) * 257, 16)) == (list(BOX), [])


def test_mask_and_cutout_under_each_others_name_are_told_apart(put):
    first, second = put("0.dcm", cutout(), 12), put("1.dcm", mask())
    assert found(first, second) == (list(BOX), ["crop_mask_swapped"])
    assert found(second, first) == (list(BOX), [])


def test_mask_of_another_size_is_brought_to_the_images(put):
    box = tuple(2 * edge for edge in BOX)
    assert found(put("m.dcm", mask((192, 128), box))) == (list(BOX), ["mask_resized"])


def test_mask_of_another_aspect_too(put):
    made, flags = found(put("m.dcm", mask((96, 128), (20, 30, 44, 46))))
    assert (made, flags) == (list(BOX), ["mask_resized"])


@pytest.mark.parametrize("shape", [(192, 128), (144, 96), (77, 51), (96, 85)])
def test_edges_of_a_mask_of_another_size_are_scaled_not_rounded(put, shape):
    height, width = shape
    made, _ = found(put("m.dcm", mask(shape, (11, 31, width, 47))))
    assert made == [11 * 64 / width, 31 * 96 / height, 64, 47 * 96 / height]


def test_full_size_cutout_of_many_greys_is_no_mask(put):
    grey = np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)
    assert found(put("a.dcm", grey, 12), put("b.dcm", cutout(), 12)) == (None, ["mask_unreadable"])


def test_lone_cutout_is_no_mask(put):
    grey = np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)
    for lone in (put("a.dcm", cutout(), 12), put("b.dcm", grey, 12)):
        assert found(lone) == (None, ["mask_unreadable"])


def test_mask_that_is_set_everywhere_is_none(put):
    assert found(put("m.dcm", np.full(SHAPE, 255, np.uint8))) == (None, ["mask_unreadable"])


@pytest.mark.parametrize("shape", [(4,), (64, 64), (1, 2**16, 2**16)])
def test_voxels_that_are_no_volume_are_no_mask(tmp_path, shape):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("dbt", shape, np.uint8, chunks=True)
    assert found(tmp_path / "m.h5") == (None, ["mask_unreadable"])


def test_jpeg_mask_is_read_through_its_noise(tmp_path):
    file = io.BytesIO()
    Image.fromarray(mask()).save(file, "JPEG", quality=75)
    (tmp_path / "m.jpg").write_bytes(file.getvalue())
    assert found(tmp_path / "m.jpg") == (list(BOX), [])


def test_empty_missing_or_damaged_mask_is_said(put, tmp_path):
    empty = put("e.dcm", np.zeros(SHAPE, np.uint8))
    (tmp_path / "d.dcm").write_bytes(b"dear diary")
    for path in (empty, tmp_path / "d.dcm", tmp_path / "gone.dcm"):
        assert found(path)[0] is None
        assert "mask_unreadable" in found(path)[1]


def test_bound_is_half_open():
    assert bound(mask().astype(bool)) == [float(edge) for edge in BOX]


def test_masks_of_the_hints_are_read_with_the_image_in_the_child_too(put):
    image = put("image.dcm", np.tile(np.arange(64, dtype=np.uint16), (96, 1)), 12)
    hints = {"masks": [[str(put("m.dcm", mask()))], [str(put("n.dcm", np.zeros(SHAPE, np.uint8)))]]}
    here = read_file(image, hints={**hints, "kind": "film"})
    with DecodeChild() as child:
        assert child.read(image, "film", hints) == here
        assert "masks" not in child.read_header(image, "film", hints).columns
    assert [one["box"] for one in here.columns["masks"]] == [list(BOX), None]
