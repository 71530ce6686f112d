import cv2
import numpy as np
import pytest
from blake3 import blake3

from mgray.dicom.blank import FLAG, blank_outside_breast
from mgray.dicom.example import example_file
from mgray.dicom.pixels import read_stored
from mgray.dicom.record import read_record
from mgray.errors import Rejected

ROWS, COLUMNS, RADIUS = 1000, 800, 260
SIZES = (0.4, 0.7, 1.0, 1.5, 2.2)
"""Letters of about 9 to 48 pixels."""
CORNERS = ("top left", "top right", "bottom left", "bottom right")


def breast():
    """A bright half disc with a skin line that fades into air; the second mask says where."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    depth = RADIUS - np.hypot(y - ROWS / 2, x)
    noise = np.random.default_rng(0).integers(0, 20, depth.shape)
    image = np.clip(depth / 30, 0, 1) * (1500 + 300 * np.sin(x / 9)) + noise + 50
    return image.astype(np.uint16), depth > 0


def written(image, corner, size):
    """The image with a name in one corner, and where the name stands."""
    text, font = "DOE 1897", cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(text, font, size, 2)
    x = 6 if "left" in corner else COLUMNS - width - 6
    y = height + 6 if "top" in corner else ROWS - 12
    ink = cv2.putText(np.zeros(image.shape, np.uint8), text, (x, y), font, size, 1, 2)
    return np.where(ink == 1, 3500, image).astype(np.uint16), ink == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("corner", CORNERS)
def test_text_in_a_corner_goes_and_no_breast_pixel_changes(corner, size):
    image, inside = breast()
    image, ink = written(image, corner, size)
    blanked = blank_outside_breast(read_record(example_file(image))).columns
    stored = read_stored(blanked)
    assert (stored[inside] == image[inside]).all()
    assert stored[ink].max() < 100
    assert FLAG in blanked["qc_flags"]


@pytest.mark.parametrize("invert", [False, True])
def test_polarity_and_checksum_are_right(invert):
    image, inside = breast()
    image, ink = written(image, "top right", 1.0)
    stored = 4095 - image if invert else image
    photometric = "MONOCHROME1" if invert else "MONOCHROME2"
    record = read_record(example_file(stored, PhotometricInterpretation=photometric))
    columns = blank_outside_breast(record).columns
    found = read_stored(columns)
    assert (found[inside] == stored[inside]).all()
    assert (found[ink] > 3900).all() if invert else (found[ink] < 100).all()
    digest = blake3(found.astype("<u2").tobytes()).hexdigest()
    assert columns["pixel_blake3"] == digest != record.columns["pixel_blake3"]


def test_record_itself_is_left_unchanged():
    record = read_record(example_file(written(breast()[0], "top right", 1.0)[0]))
    before = dict(record.columns)
    blank_outside_breast(record)
    assert record.columns == before
    assert FLAG not in record.columns["qc_flags"]


def test_image_without_a_breast_is_refused():
    record = read_record(example_file(np.full((200, 100), 5, np.uint16)))
    with pytest.raises(Rejected, match="no breast is found"):
        blank_outside_breast(record)
