import numpy as np
import pytest

from mgray.dicom.polarity import shown_as_negative

Y, X = np.mgrid[:128, :100]
TISSUE = 2000.0 + 200.0 * np.sin(X) * np.sin(Y)
CC = np.where(np.hypot(Y - 64, X) < 50, TISSUE, 100.0)
MLO = np.where((np.hypot(Y - 70, X) < 60) | (X + Y < 60), TISSUE, 100.0)
LARGE = np.where(X < 80, TISSUE, 100.0)
SMALL = np.where(25 + 15 * np.sin(np.pi * Y / 127) > X, TISSUE, 100.0)  # air in the middle
FRAMED = np.pad(CC[2:-2, 2:-2], 2, constant_values=2900.0)
PLAIN = {
    "photometric_interpretation": "MONOCHROME2",
    "presentation_lut_shape": None,
    "rescale_slope": None,
    "rescale_intercept": None,
    "window_center": [1500.0],
    "window_width": [3000.0],
    "voi_lut_function": None,
    "voi_lut": None,
    "bits_stored": 12,
    "pixel_representation": 0,
    "pixel_padding_value": None,
    "pixel_padding_range_limit": None,
}
IDS = ["cc", "mlo", "large", "small", "framed"]
FALLING_LUT = [0.0, 12.0, *np.linspace(4095, 0, 4096)]


@pytest.mark.parametrize("image", [CC, MLO, LARGE, SMALL, FRAMED], ids=IDS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("changes", "negative"),
    [
        ({}, False),
        ({"photometric_interpretation": "MONOCHROME1"}, True),
        ({"presentation_lut_shape": "INVERSE"}, True),
        ({"rescale_slope": -1.0, "rescale_intercept": 3000.0}, True),
        ({"voi_lut": FALLING_LUT}, True),
        ({"photometric_interpretation": "MONOCHROME1", "voi_lut": FALLING_LUT}, False),
        ({"window_center": [128.0], "window_width": [256.0], "voi_lut_function": "SIGMOID"}, False),
    ],
)
def test_air_on_the_bright_side_is_told_after_all_luts(image, turned, changes, negative):
    image = image[::-1, ::-1] if turned else image
    assert shown_as_negative(image, PLAIN | changes) is negative


def test_image_of_one_grey_says_nothing():
    assert not shown_as_negative(np.full((60, 40), 4000.0), PLAIN)
    assert not shown_as_negative(CC, PLAIN | {"window_center": [9e9], "window_width": [9e9]})


def test_breast_as_flat_as_air_is_not_accused():
    assert not shown_as_negative(np.where(X < 40, 2000.0, 100.0), PLAIN)
