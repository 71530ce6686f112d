import math

import numpy as np
import pytest

from mgray.dicom.grey import apply_grey, check_grey
from mgray.errors import Rejected

RAMP = np.arange(4096, dtype=np.int32).reshape(64, 64)
PLAIN = {
    "photometric_interpretation": "MONOCHROME2",
    "presentation_lut_shape": None,
    "bits_stored": 12,
    "pixel_representation": 0,
    "pixel_padding_value": None,
    "pixel_padding_range_limit": None,
    "rescale_slope": None,
    "rescale_intercept": None,
    "window_center": None,
    "window_width": None,
    "voi_lut_function": None,
    "voi_lut": None,
}


def shown(stored=RAMP, **columns):
    return apply_grey(stored, PLAIN | columns)


def standard_linear(x, c, w):
    """PS3.3 C.11.2.1.2.1 as written there, y from 0 to 1, one value at a time."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 1.0
    return (x - (c - 0.5)) / (w - 1) + 0.5


def standard_exact(x, c, w):
    if x <= c - w / 2:
        return 0.0
    return 1.0 if x > c + w / 2 else (x - c) / w + 0.5


def standard_sigmoid(x, c, w):
    return 1 / (1 + math.exp(min(-4 * (x - c) / w, 700)))


FORMULAS = {"LINEAR": standard_linear, "LINEAR_EXACT": standard_exact, "SIGMOID": standard_sigmoid}


@pytest.mark.parametrize(
    ("center", "width"), [(2048.0, 4096.0), (540.0, 580.0), (100.5, 1.0), (3000.0, 2.0)]
)
@pytest.mark.parametrize("function", FORMULAS)
def test_window_follows_the_standard(function, center, width):
    found = shown(window_center=[center], window_width=[width], voi_lut_function=function)
    expected = [FORMULAS[function](x, center, width) for x in range(4096)]
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-6)


def test_without_function_the_window_is_linear():
    window = {"window_center": [700.0], "window_width": [300.0]}
    np.testing.assert_array_equal(shown(**window), shown(**window, voi_lut_function="LINEAR"))


def test_of_several_windows_the_first_is_used():
    several = shown(window_center=[700.0, 5.0], window_width=[300.0, 9.0])
    np.testing.assert_array_equal(several, shown(window_center=[700.0], window_width=[300.0]))


def test_rescale_comes_before_the_window():
    found = shown(
        rescale_slope=2.0, rescale_intercept=-100.0, window_center=[900.0], window_width=[801.0]
    )
    expected = np.clip((RAMP * 2.0 - 100.0 - 899.5) / 800.0 + 0.5, 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_without_window_the_stored_range_is_shown():
    np.testing.assert_allclose(shown(), RAMP / 4095.0, atol=1e-6)


def test_signed_range_is_centred_on_zero():
    found = shown(RAMP - 2048, pixel_representation=1)
    np.testing.assert_allclose(found, RAMP / 4095.0, atol=1e-6)


def test_voi_lut_goes_before_windows():
    lut = [100.0, 10.0, *np.linspace(0, 1023, 50).round()]
    found = shown(voi_lut=lut, window_center=[1.0], window_width=[2.0]).ravel()
    assert (found[:101] == 0).all()
    assert (found[149:] == 1).all()
    assert found[125] == pytest.approx(lut[2 + 25] / 1023)


def test_monochrome1_is_inverted_once():
    plain = shown(window_center=[900.0], window_width=[500.0])
    inverse = shown(
        window_center=[900.0],
        window_width=[500.0],
        photometric_interpretation="MONOCHROME1",
        presentation_lut_shape="INVERSE",
    )
    np.testing.assert_allclose(inverse, 1 - plain, atol=1e-6)


@pytest.mark.parametrize(
    "say", [{"photometric_interpretation": "MONOCHROME1"}, {"presentation_lut_shape": "INVERSE"}]
)
def test_either_word_inverts(say):
    np.testing.assert_allclose(shown(**say), 1 - RAMP / 4095.0, atol=1e-6)


def test_padding_is_black_after_inversion():
    found = shown(photometric_interpretation="MONOCHROME1", pixel_padding_value=0)
    assert found[0, 0] == 0
    assert found[0, 1] > 0.99


@pytest.mark.parametrize(("value", "limit"), [(0, 30), (30, 0)])
def test_padding_range_goes_either_way(value, limit):
    found = shown(
        RAMP,
        photometric_interpretation="MONOCHROME1",
        pixel_padding_value=value,
        pixel_padding_range_limit=limit,
    )
    assert (found.ravel()[:31] == 0).all()
    assert found.ravel()[31] > 0.9


def test_sigmoid_does_not_grey_the_padded_air():
    found = shown(
        window_center=[128.0],
        window_width=[256.0],
        voi_lut_function="SIGMOID",
        pixel_padding_value=0,
    )
    assert found[0, 0] == 0


def test_extreme_sigmoid_stays_finite():
    found = shown(window_center=[1.0], window_width=[1e-6], voi_lut_function="SIGMOID")
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "bad",
    [
        {"rescale_slope": math.nan},
        {"rescale_slope": math.inf},
        {"rescale_slope": 0.0},
        {"rescale_intercept": math.nan},
        {"window_center": [math.nan], "window_width": [1.0]},
        {"window_center": [1.0], "window_width": [math.nan]},
        {"window_center": [1.0], "window_width": [0.0]},
        {"window_center": [1.0], "window_width": [-5.0], "voi_lut_function": "SIGMOID"},
        {"window_center": [1.0], "window_width": [0.5], "voi_lut_function": "LINEAR"},
        {"window_center": [1.0, 2.0], "window_width": [3.0]},
        {"window_center": [1.0]},
        {"voi_lut_function": "CUBIC"},
    ],
)
def test_settings_that_make_no_grey_are_refused(bad):
    with pytest.raises(Rejected, match="header cannot be parsed"):
        check_grey(PLAIN | bad)


def test_black_and_white_are_the_ends():
    found = shown(window_center=[2000.0], window_width=[100.0])
    assert found.dtype == np.float32
    assert (found.min(), found.max()) == (0.0, 1.0)


def test_a_range_that_16_bits_cannot_subtract_is_shown_right():
    stored = np.array([[-30000, 0, 30000]], np.int16)
    wide, told = stored.astype(np.int32), {"bits_stored": 16, "pixel_representation": 1}
    np.testing.assert_array_equal(shown(stored, **told), shown(wide, **told))


@pytest.mark.parametrize(
    "columns",
    [
        {"rescale_slope": 1e308},
        {"rescale_slope": 1.0, "rescale_intercept": 1e20},
        {"rescale_slope": 1e-300, "rescale_intercept": 1.0},
    ],
)
def test_a_rescale_that_leaves_no_greys_apart_is_refused(columns):
    """Finite in the header, but no number, or one grey, once it is applied."""
    with pytest.raises(Rejected, match="leave no greys apart"):
        check_grey(PLAIN | columns)
