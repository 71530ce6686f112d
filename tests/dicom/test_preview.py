import json

import cv2
import numpy as np
import pytest

from mgray.dicom.example import example_file
from mgray.dicom.pixels import read_display
from mgray.dicom.preview import TOP, preview, to_pgm
from mgray.dicom.record import read_record

WAVES = np.int32(1500 + 700 * np.sin(np.mgrid[:96, :80].sum(axis=0) / 30.0))
WINDOWS = {
    "full range": {},
    "linear": {"WindowCenter": 1400, "WindowWidth": 901},
    "exact": {"WindowCenter": 1400, "WindowWidth": 901, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 1400, "WindowWidth": 901, "VOILUTFunction": "SIGMOID"},
    "negative": {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 900, "WindowWidth": 9},
    "falling": {"RescaleSlope": -1, "RescaleIntercept": 4095},
}


def columns(image=WAVES, **attributes):
    return read_record(example_file(image, "j2k", **attributes)).columns


def shown(grey, frame, window=None):
    """Display values as a viewer makes them, perhaps with another window than the header's."""
    slope, intercept = frame.value
    center, width = window or frame.window
    stretch = frame.window[1] / width
    at = (grey - (center - intercept) / slope) * stretch + (frame.window[0] - intercept) / slope
    curve = np.interp(at, np.linspace(*frame.span, len(frame.curve)), frame.curve)
    return np.where(frame.padded & (grey == 0), 0.0, curve)


@pytest.mark.parametrize("attributes", WINDOWS.values(), ids=WINDOWS)
def test_the_curve_over_the_greys_is_the_display_image(attributes):
    row = columns(**attributes)
    np.testing.assert_allclose(shown(*preview(row, 96)), read_display(row), atol=0.01)


@pytest.mark.parametrize("attributes", WINDOWS.values(), ids=WINDOWS)
def test_curves_rise_where_the_header_s_window_does(attributes):
    _, frame = preview(columns(**attributes), 96)
    assert (np.diff(frame.curve) >= 0).all()
    assert frame.curve[0] < frame.curve[-1]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("slope", [1, -1])
@pytest.mark.parametrize("width", [90, 901, 8192])
def test_any_window_can_be_made_of_the_header_s(width, slope, function):
    center = 1400 if slope == 1 else 2695
    told = {
        "VOILUTFunction": function,
        "RescaleSlope": slope,
        "RescaleIntercept": 4095 * (slope < 0),
    }
    grey, frame = preview(columns(WindowCenter=1400, WindowWidth=width, **told), 96)
    wanted = read_display(columns(WindowCenter=center, WindowWidth=400, **told))
    assert {wanted.min().round(2), wanted.max().round(2)} == {0.0, 1.0}
    np.testing.assert_allclose(shown(grey, frame, (center, 400)), wanted, atol=0.06)


@pytest.mark.parametrize("told", [(1e300, 4096), (2048, 1e308)])
def test_a_window_beyond_all_numbers_is_told_as_it_looks(told):
    row = columns(WindowCenter=told[0], WindowWidth=told[1], VOILUTFunction="SIGMOID")
    grey, frame = preview(row, 96)
    json.loads(to_pgm(grey, frame).split(b"\n")[1].removeprefix(b"# "))
    assert frame.span == (0.0, TOP)
    curve = np.interp(grey, np.linspace(0, TOP, len(frame.curve)), frame.curve)
    np.testing.assert_allclose(curve, read_display(row), atol=1e-4)


def test_greys_are_those_before_the_window():
    narrow, wide = (preview(columns(WindowCenter=1500, WindowWidth=w), 96)[0] for w in (9, 4000))
    np.testing.assert_array_equal(narrow, wide)
    assert len(np.unique(narrow)) > 100


@pytest.mark.parametrize("attributes", WINDOWS.values(), ids=WINDOWS)
def test_values_of_greys_are_those_of_windows(attributes):
    grey, frame = preview(columns(**attributes), 96)
    slope, intercept = frame.value
    turned = attributes.get("RescaleSlope") == -1
    np.testing.assert_allclose(
        grey * slope + intercept, 4095 - WAVES if turned else WAVES, atol=0.05
    )


def test_the_window_is_the_header_s():
    _, frame = preview(columns(WindowCenter=[1400, 7], WindowWidth=[901, 7]), 96)
    assert frame.window == (1400.0, 901.0)


def test_without_a_window_it_is_the_whole_range():
    _, frame = preview(columns(), 96)
    assert frame.window == (2047.5, 4095.0)


def test_padding_is_darkest_in_a_negative_too():
    image = WAVES.copy()
    image[:, 40:] = 0
    row = columns(image, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1")
    assert (preview(row, 96)[0][:, 40:] == 0).all()


@pytest.mark.parametrize("center", [2048, 0, -2048])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_padding_is_black_under_a_window_that_begins_below_the_darkest_value(function, center):
    image = WAVES.copy()
    image[:, 40:] = 0
    told = {"PixelPaddingValue": 0, "VOILUTFunction": function, "WindowWidth": 4096}
    wanted = read_display(columns(image, WindowCenter=center, **told))
    assert (wanted[:, 40:] == 0).all()
    for header in (center, 2048):
        grey, frame = preview(columns(image, WindowCenter=header, **told), 96)
        np.testing.assert_allclose(shown(grey, frame, (center, 4096)), wanted, atol=0.01)


@pytest.mark.parametrize("attributes", WINDOWS.values(), ids=WINDOWS)
def test_padding_of_any_value_is_black_and_spares_the_darkest_pixels(attributes):
    image = WAVES.copy()
    image[:, 40:60], image[:, 60:70], image[:, 70:] = 2000, 0, 4095
    row = columns(image, PixelPaddingValue=2000, **attributes)
    grey, frame = preview(row, 96)
    np.testing.assert_array_equal(grey == 0, image == 2000)
    np.testing.assert_allclose(shown(grey, frame), read_display(row), atol=0.01)


def test_without_padding_the_darkest_grey_is_that_of_pixels():
    image = WAVES.copy()
    image[:, 40:] = 0
    grey, frame = preview(columns(image), 96)
    assert (grey[:, 40:] == 0).all()
    assert not frame.padded


@pytest.mark.parametrize(("long_side", "shape"), [(96, (96, 80)), (95, (48, 40)), (24, (24, 20))])
def test_the_size_is_the_largest_allowed(long_side, shape):
    assert preview(columns(), long_side)[0].shape == shape


@pytest.mark.parametrize("long_side", [192, 96, 48])
def test_the_affine_leads_back_to_the_dicom_pixels(long_side):
    across, down = (np.exp(-(((np.arange(n) - c) / 9.0) ** 2)) for n, c in ((160, 101), (192, 60)))
    grey, frame = preview(columns(np.int32(3000 * np.outer(down, across))), long_side)
    weights = grey.astype(float)
    x = (weights.sum(axis=0) * (np.arange(grey.shape[1]) + 0.5)).sum() / weights.sum()
    y = (weights.sum(axis=1) * (np.arange(grey.shape[0]) + 0.5)).sum() / weights.sum()
    found = np.array(frame.affine) @ [x, y, 1.0]
    np.testing.assert_allclose(found, [101.5, 60.5], atol=0.05)


@pytest.mark.parametrize("spacing", [None, [0, 0], [0.1, 0], [-0.1, -0.1], [0.1, 0.1, 0.1]])
def test_a_spacing_of_nonsense_is_none(spacing):
    _, frame = preview(columns(ImagerPixelSpacing=spacing), 96)
    assert frame.pixel_spacing_mm is None


def test_other_programs_read_the_grey_map():
    grey, frame = preview(columns(), 96)
    read = cv2.imdecode(np.frombuffer(to_pgm(grey, frame), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, grey)


def test_the_comment_of_the_grey_map_is_the_frame():
    grey, frame = preview(columns(ImagerPixelSpacing=[0.1, 0.2]), 96)
    comment = json.loads(to_pgm(grey, frame).split(b"\n")[1].removeprefix(b"# "))
    assert (comment["rows"], comment["columns"]) == (96, 80)
    assert comment["pixel_spacing_mm"] == [0.1, 0.2]
    assert (comment["laterality"], comment["view"], comment["image_kind"]) == ("L", "CC", "ffdm")
    assert comment["padded"] is False
    padded = to_pgm(*preview(columns(PixelPaddingValue=0), 96)).split(b"\n")[1]
    assert json.loads(padded.removeprefix(b"# "))["padded"] is True
