import numpy as np
import pytest

from mgray.data.targets import prepare_sample
from mgray.data.transforms import PreprocessConfig, prepare
from mgray.inference.prepare import prepare_case

CONFIG = PreprocessConfig(net_height=128, net_width=96)


@pytest.fixture
def case(make_record):
    return {"sm": make_record(0, (300, 200)), "ffdm": make_record(1, (400, 260))}


def test_every_input_becomes_one_grey_plane(case):
    planes = prepare_case(case, ("sm", "ffdm"), CONFIG).planes
    assert {kind: plane.shape for kind, plane in planes.items()} == {
        "sm": (128, 96),
        "ffdm": (128, 96),
    }


def test_the_plane_is_that_of_training(case):
    channels = prepare_sample(case, CONFIG, only_visible=False).images["sm"].numpy()
    plane = prepare_case(case, ("sm",), CONFIG).planes["sm"]
    assert np.array_equal(channels, np.stack([plane] * 3))


def test_what_the_model_does_not_take_is_not_read(case):
    assert set(prepare_case(case | {"ffdm": {}}, ("sm",), CONFIG).planes) == {"sm"}


def test_boxes_belong_to_the_first_input(case):
    prepared = prepare_case(case, ("ffdm", "sm"), CONFIG)
    assert (prepared.rows, prepared.columns) == (400, 260)
    assert prepared.geometry == prepare(case["ffdm"], CONFIG)[1]
