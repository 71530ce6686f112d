"""What users of other readers reported (docs: PEERS §3), one case each: it works here."""

import io
import time

import imagecodecs
import numpy as np
import pytest
from openjpeg.utils import encode_array
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.pixels import pixel_array

from mgray.dicom.example import example_file
from mgray.dicom.pixels import read_display, read_stored
from mgray.dicom.record import iter_frames, read_record
from mgray.errors import Rejected
from tests.dicom.corpus import encapsulate

RAMP = np.arange(4096).reshape(64, 64)
WINDOW = {"WindowCenter": 2000, "WindowWidth": 1000}


def volume(frames, syntax, **attributes):
    """A tomosynthesis object from encoded frames."""
    dataset = dcmread(io.BytesIO(example_file(RAMP, syntax, **attributes)))
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.3"
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = encapsulate(frames)[0]
    file = io.BytesIO()
    dcmwrite(file, dataset)
    return file.getvalue()


def lut_item(entries, first=0, bits=12):
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = np.asarray(entries, "<u2").tobytes()
    return item


def test_pydicom_1283_a_volume_s_first_frame_needs_no_other():
    """A 2500 x 1800 x 50 volume took 25 s to open: here frames come one by one."""
    frame = bytes(encode_array(RAMP.astype("<u2"), bits_stored=12))
    frames = iter_frames(volume([frame, b"damaged!", frame], "j2k"))
    np.testing.assert_array_equal(next(frames), RAMP)
    with pytest.raises(Rejected, match="no JPEG or JPEG 2000 codestream"):
        next(frames)


def test_pydicom_2226_frames_of_baseline_jpeg_cost_what_the_codec_costs():
    """From 20 s to 140 s with 3.0, for a colour transform of every frame."""
    image = np.add.outer(np.arange(480), np.arange(640)).astype("u1")
    frame = bytes(imagecodecs.jpeg8_encode(image, level=90))
    data = volume([frame] * 60, "jpeg", BitsAllocated=8, BitsStored=8, HighBit=7)
    dataset = dcmread(io.BytesIO(data))
    dataset.Rows, dataset.Columns = image.shape
    file = io.BytesIO()
    dcmwrite(file, dataset)
    data = file.getvalue()

    def seconds(work):
        start = time.process_time()
        work()
        return time.process_time() - start

    ours = min(seconds(lambda: [*map(np.max, iter_frames(data))]) for _ in range(3))
    bare = min(
        seconds(lambda: [imagecodecs.jpeg8_decode(frame).astype(np.int32) for _ in range(60)])
        for _ in range(3)
    )
    assert ours < 3 * bare + 0.05


def test_pydicom_1234_lut_goes_before_three_windows_and_a_sigmoid():
    """A mammogram with both: which one is applied was not said."""
    lut = lut_item(4095 - np.arange(4096))
    windows = {"WindowCenter": [1000, 2000, 3000], "WindowWidth": [500, 600, 700]}
    data = example_file(RAMP, VOILUTSequence=[lut], VOILUTFunction="SIGMOID", **windows)
    shown = read_display(read_record(data).columns)
    np.testing.assert_allclose(shown, 1 - RAMP / 4095, atol=1e-6)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", None, True),
    ],
)
def test_pydicom_1265_presentation_lut_shape_is_applied_once(photometric, shape, inverted):
    """Both shapes occur in mammograms and were not applied."""
    words = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape}
    shown = read_display(read_record(example_file(RAMP, **words)).columns)
    np.testing.assert_allclose(shown, 1 - RAMP / 4095 if inverted else RAMP / 4095, atol=1e-6)


@pytest.mark.parametrize(("stored", "coded"), [(12, 11), (11, 12), (16, 14), (12, 16)])
@pytest.mark.parametrize("signed", [False, True])
def test_pylibjpeg_51_precision_other_than_bits_stored_changes_no_value(stored, coded, signed):
    """12 bits stored and an 11-bit codestream: a warning, or shifted values."""
    kind, bits = ("<i2", min(stored, coded)) if signed else ("<u2", min(stored, coded))
    image = RAMP % 2**bits - (2 ** (bits - 1) if signed else 0)
    frame = bytes(encode_array(image.astype(kind), bits_stored=coded))
    dataset = dcmread(io.BytesIO(example_file(image, "j2k", 16, signed)))
    dataset.BitsStored, dataset.HighBit = stored, stored - 1
    dataset.PixelData = encapsulate([frame])[0]
    file = io.BytesIO()
    dcmwrite(file, dataset)
    found = read_stored(read_record(file.getvalue()).columns)
    np.testing.assert_array_equal(found, image)
    if coded <= stored:
        np.testing.assert_array_equal(found, pixel_array(dataset))


@pytest.mark.parametrize("word", [b"SIGMOID ", b"sigmoid ", b"SIGMOID\0", b" SIGMOID"])
def test_cornerstone3d_2856_function_is_read_in_any_case_and_padding(word):
    plain = read_record(example_file(RAMP, **WINDOW, VOILUTFunction="SIGMOID"))
    odd = read_record(
        example_file(RAMP, **WINDOW, VOILUTFunction="SIGMOID").replace(b"SIGMOID ", word)
    )
    np.testing.assert_array_equal(read_display(odd.columns), read_display(plain.columns))


def test_cornerstone3d_2856_entries_are_unsigned_where_pixels_are_signed():
    entries = np.linspace(0, 65535, 4096).round().astype(int)
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [4096, -2048, 16])
    item.add_new("LUTData", "SS", [entry - 65536 * (entry > 32767) for entry in entries.tolist()])
    data = example_file(RAMP - 2048, signed=True, VOILUTSequence=[item])
    shown = read_display(read_record(data).columns)
    np.testing.assert_allclose(shown, entries.reshape(64, 64) / 65535, atol=1e-6)
