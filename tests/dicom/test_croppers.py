import json

import numpy as np
import pytest

from mgray.dicom.child import DecodeChild
from mgray.dicom.croppers import CROPPERS, find_breast
from mgray.dicom.example import example_file
from mgray.dicom.record import read_record

NAMES = sorted(CROPPERS)


def half_disc(height=512, width=400, radius=180, tail=0.0):
    """A breast at the left edge that faces right, on air; ``tail`` of its brightness around it."""
    y, x = np.mgrid[:height, :width]
    far = np.hypot(y - height / 2, x * 0.9)
    image = np.where(far < radius, 600.0, 0.0) + np.where(far < radius + 30, 600.0 * tail, 0.0)
    return (image + np.random.default_rng(0).normal(20, 1, image.shape)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_every_cropper_finds_the_breast_s_box(name):
    box = find_breast(half_disc(), name).box(1024, 800)
    np.testing.assert_allclose(box, [0, 152, 400, 872], atol=10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("step", "face"), [(1, "right"), (-1, "left")])
def test_every_cropper_tells_the_side(name, step, face):
    assert find_breast(np.ascontiguousarray(half_disc()[:, ::step]), name).face == face


@pytest.mark.parametrize("name", NAMES)
def test_no_cropper_sees_a_breast_in_air(name):
    assert find_breast(np.full((64, 48), 7.0, np.float32), name) is None
    speck = np.zeros((512, 400), np.float32)
    speck[100:104, 100:104] = 900
    assert find_breast(speck, name) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_shift_or_stretch_of_the_grey_levels_changes_nothing(name):
    image = half_disc()
    found = find_breast(image, name)
    np.testing.assert_array_equal(found.mask, find_breast(image * 4 - 2**14, name).mask)


def test_p4_takes_what_is_above_5_percent_of_the_maximum_and_fills_it():
    image = np.zeros((200, 160), np.float32)
    image[40:160, :100] = 0.07
    image[41:159, 1:99] = 1.0
    image[80:100, 30:50] = 0.0  # a hole
    image[190:, 150:] = 1.0  # a label
    wanted = np.zeros(image.shape, bool)
    wanted[40:160, :100] = True
    np.testing.assert_array_equal(find_breast(image, "p4").mask, wanted)
    image[40:160, 99] = 0.04
    assert find_breast(image, "p4").box(200, 160) == [0, 40, 99, 160]


def test_p5_takes_what_is_above_20_of_255_inside_a_strip():
    image = np.zeros((1024, 800), np.float32)
    image[:, 0] = 255.0  # a bright edge
    image[300:800, :400] = 21.5
    image[:, 600:] = 19.5
    assert find_breast(image, "p5").box(1024, 800) == [5, 300, 400, 800]


def test_thresholds_differ_where_a_faint_skin_line_lies():
    boxes = {name: find_breast(half_disc(tail=0.065), name).box(512, 400) for name in NAMES}
    assert boxes["p4"][2] > boxes["p5"][2] + 20


def test_a_row_s_box_and_side_come_from_its_cropper():
    stored = np.clip(half_disc(tail=0.065), 0, 4095).astype(np.int32)[:, ::-1]
    data = example_file(stored)
    found = {name: read_record(data, cropper=name).columns for name in NAMES}
    assert {row["pixels_face"] for row in found.values()} == {"left"}
    assert found["p4"]["breast_box"][0] < found["p5"]["breast_box"][0] - 20
    assert read_record(data).columns == found["p1"]


def test_the_decode_child_uses_the_cropper_it_is_given(tmp_path):
    data = example_file(half_disc(tail=0.065).astype(np.int32))
    with DecodeChild(cropper="p4") as child:
        found = child.read(data).columns
    wanted = read_record(data, cropper="p4").columns
    assert json.dumps(found["breast_box"]) == json.dumps(wanted["breast_box"])
    assert wanted["breast_box"] != read_record(data, cropper="p5").columns["breast_box"]
