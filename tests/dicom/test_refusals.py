import io
import math
import struct
import zlib

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite

from mgray.dicom.example import example_file
from mgray.dicom.limits import Limits
from mgray.dicom.record import read_record
from mgray.errors import REJECT_REASONS, Rejected

BREAST = np.int32(np.where(np.hypot(*np.mgrid[-60:60, 0:100]) < 55, 2000 + np.arange(100), 100))
SECRET = "ZZSECRETZZ"


def reason(data, limits=None, **more):
    with pytest.raises(Rejected) as caught:
        read_record(data, **({"limits": limits} if limits else {}), **more)
    assert SECRET not in str(caught.value)
    assert caught.value.reason in REJECT_REASONS
    assert caught.value.__cause__ is None
    return caught.value.reason


def written(dataset):
    file = io.BytesIO()
    dcmwrite(file, dataset)
    return file.getvalue()


def private_element(number, value=b""):
    return struct.pack("<HH2sH", 9, 0x1000 + number % 0xEFFF, b"LO", len(value)) + value


def test_missing_file_is_unreadable(tmp_path):
    assert reason(tmp_path / SECRET) == "unreadable"


def test_folder_is_unreadable(tmp_path):
    assert reason(tmp_path) == "unreadable"


def test_empty_file():
    assert reason(b"") == "empty"


def test_text_file():
    assert reason(SECRET.encode() * 100) == "not_dicom"


def test_dicomdir_and_zip_are_not_images():
    assert reason(b"PK\3\4" + b"\0" * 300) == "not_dicom"


def test_file_over_the_limit_is_not_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    assert reason(tmp_path / "a", Limits(max_file_bytes=999)) == "too_large"


def test_preamble_alone():
    assert reason(b"\0" * 128 + b"DICM") == "corrupt_header"


@pytest.mark.parametrize(
    "syntax", ["explicit", "implicit", "big", "deflated", "j2k", "rle", "jpeg_ls"]
)
def test_every_truncation_is_refused(syntax):
    data = example_file(BREAST[:64, :64], syntax)
    for end in [*range(0, 600, 23), *range(600, len(data) - 2, 997), len(data) - 20]:
        assert reason(data[:end]) in {
            "empty", "not_dicom", "corrupt_header", "no_pixels", "wrong_modality",
            "corrupt_pixels", "header_mismatch",
        }  # fmt: skip


def test_ct():
    data = example_file(BREAST, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT")
    assert reason(data) == "wrong_modality"


def test_mammogram_without_pixels():
    dataset = dcmread(io.BytesIO(example_file(BREAST)))
    del dataset.PixelData
    file = io.BytesIO()
    dcmwrite(file, dataset)
    assert reason(file.getvalue()) == "no_pixels"


def test_missing_sop_instance_uid():
    data = example_file(BREAST).replace(b"\x08\0\x18\0UI", b"\x08\0\x17\0UI")
    assert reason(data) == "corrupt_header"


def test_tomosynthesis_volume():
    assert reason(example_file(BREAST, NumberOfFrames=2)) == "unsupported_kind"


def test_projection():
    data = example_file(BREAST, SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.4")
    assert reason(data) == "unsupported_kind"


def test_colour():
    data = example_file(BREAST, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    assert reason(data) == "unsupported_kind"


def test_modality_lut():
    data = example_file(BREAST, ModalityLUTSequence=[Dataset()])
    assert reason(data) == "unsupported_kind"


@pytest.mark.parametrize(
    "attributes",
    [
        {"BurnedInAnnotation": "YES"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"ImageType": ["DERIVED", "SECONDARY"]},
        {"ImageType": ["DERIVED", "PRIMARY", "SCREEN SAVE"]},
    ],
)
def test_burned_in_text(attributes):
    assert reason(example_file(BREAST, **attributes)) == "burned_in"


@pytest.mark.parametrize(
    "attributes",
    [{"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, {"ImageType": ["DERIVED", "SECONDARY"]}],
)
def test_source_vouches_for_a_capture_but_not_for_declared_text(attributes):
    assert read_record(example_file(BREAST, **attributes), kind="film").columns["image_kind"] == (
        "film"
    )
    declared = example_file(BREAST, **attributes, BurnedInAnnotation="YES")
    with pytest.raises(Rejected, match="burned-in"):
        read_record(declared, kind="film")


def test_masks_and_crops_of_cbis_ddsm():
    data = example_file(
        BREAST, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SeriesDescription="ROI mask images"
    )
    assert reason(data) == "unsupported_kind"


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        (2**31 - 1, "too_large"),
        (0, "corrupt_header"),
        (-1, "corrupt_header"),
        (70_000, "too_large"),
    ],
)
def test_absurd_number_of_frames(frames, why):
    assert reason(example_file(BREAST, NumberOfFrames=frames)) == why


@pytest.mark.parametrize("syntax", ["j2k", "rle", "explicit"])
def test_two_frames_with_one_fragment(syntax):
    assert reason(example_file(BREAST, syntax, NumberOfFrames=2)) == "unsupported_kind"


def test_header_of_65535_x_65535():
    assert reason(example_file(BREAST, "j2k", Rows=65535, Columns=65535)) == "too_large"


@pytest.mark.parametrize("side", [65_535, 20_000, 2**31 - 1])
def test_codestream_claiming_a_huge_image(side):
    data = example_file(BREAST, "j2k")
    at = data.index(b"\xff\x4f\xff\x51") + 8
    bomb = data[:at] + struct.pack(">II", side, side) + data[at + 8 :]
    assert reason(bomb) == "header_mismatch"


def test_jpeg_frame_header_claiming_a_huge_image():
    data = example_file(BREAST, "jpeg_lossless")
    at = data.index(b"\xff\xc3") + 5
    assert reason(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]) == "header_mismatch"


@pytest.mark.parametrize("syntax", ["j2k", "jpeg_ls", "jpeg_lossless", "htj2k", "explicit", "rle"])
def test_rows_doubled(syntax):
    assert reason(example_file(BREAST, syntax, Rows=240)) in {"header_mismatch", "corrupt_pixels"}


@pytest.mark.parametrize("syntax", ["j2k", "jpeg_ls", "jpeg_lossless", "htj2k"])
def test_rows_and_columns_swapped(syntax):
    assert reason(example_file(BREAST, syntax, Rows=100, Columns=120)) == "header_mismatch"


@pytest.mark.parametrize(
    "attributes", [{"BitsAllocated": 32}, {"BitsStored": 17}, {"BitsStored": 1}, {"HighBit": 15}]
)
def test_impossible_bits(attributes):
    assert reason(example_file(BREAST, **attributes)) == "header_mismatch"


@pytest.mark.parametrize("attributes", [{"Rows": 0}, {"Columns": 0}])
def test_no_rows(attributes):
    assert reason(example_file(BREAST, **attributes)) == "corrupt_header"


def test_pixel_data_longer_than_the_image():
    twice = np.vstack([BREAST, BREAST])
    assert reason(example_file(twice, Rows=120)) == "header_mismatch"


@pytest.mark.parametrize("text", [b"nan ", b"inf ", b"1e400", SECRET.encode()])
@pytest.mark.parametrize(
    "keyword", ["RescaleSlope", "WindowWidth", "ImagerPixelSpacing", "PixelSpacing"]
)
def test_numbers_that_are_none(keyword, text):
    marker = b"9.87654321"
    attributes = (
        {keyword: float(marker)}
        if keyword != "WindowWidth"
        else {keyword: float(marker), "WindowCenter": 5}
    )
    data = example_file(BREAST, **attributes)
    assert data.count(marker) == 1
    assert reason(data.replace(marker, text.ljust(len(marker))[: len(marker)])) == "corrupt_header"


def test_a_rescale_that_leaves_no_number():
    assert reason(example_file(BREAST, RescaleSlope=1e308)) == "corrupt_header"


def test_zero_window_width():
    assert reason(example_file(BREAST, WindowCenter=1, WindowWidth=0)) == "corrupt_header"


def test_deflate_bomb():
    data = example_file(BREAST, "deflated")
    meta, body = data[:132], data[132:]
    end = 12 + struct.unpack_from("<I", body, 8)[0]
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    squeezed = bomb.compress(b"\0" * 50_000_000) + bomb.flush()
    assert len(squeezed) < 100_000
    assert reason(meta + body[:end] + squeezed, Limits(max_inflated_bytes=10**6)) == "too_large"


def test_a_million_empty_sequence_items():
    data = example_file(BREAST)
    at = data.index(b"\x10\0\x20\0LO")
    items = (
        struct.pack("<HH2sHI", 9, 0x1002, b"SQ", 0, 0xFFFFFFFF)
        + b"\xfe\xff\x00\xe0\0\0\0\0" * 10**6
    )
    assert reason(data[:at] + items + b"\xfe\xff\xdd\xe0\0\0\0\0" + data[at:]) == "too_large"


def test_a_million_tiny_elements():
    data = example_file(BREAST)
    at = data.index(b"\x10\0\x20\0LO")
    many = b"".join(private_element(n) for n in range(5000)) * 50
    assert reason(data[:at] + many + data[at:]) == "too_large"


def test_nesting_too_deep():
    data = example_file(BREAST)
    at = data.index(b"\x10\0\x20\0LO")
    sequence = struct.pack("<HH2sHI", 9, 0x1002, b"SQ", 0, 0xFFFFFFFF)
    nested = (sequence + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 3000
    assert reason(data[:at] + nested + data[at:]) == "corrupt_header"


def test_no_fragments():
    data = example_file(BREAST, "j2k")
    at = data.index(b"\xe0\x7f\x10\0OB")
    empty = data[: at + 12] + b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    assert reason(empty) == "header_mismatch"


def test_two_frames_in_the_offset_table():
    data = example_file(BREAST, "j2k")
    at = data.index(b"\xe0\x7f\x10\0OB") + 12
    table = b"\xfe\xff\x00\xe0" + struct.pack("<III", 8, 0, 500)
    assert reason(data[:at] + table + data[at + 12 :]) == "header_mismatch"


def test_warnings_and_logs_hold_no_value(caplog, recwarn):
    data = example_file(BREAST, PatientID="ABCDEFGHIJ", RescaleSlope=1)
    data = data.replace(b"1.2.3.4\0", b"1.b.3.4\0").replace(b"ABCDEFGHIJ", SECRET.encode())
    with caplog.at_level("DEBUG"):
        record = read_record(data)
    assert record.identity.patient_id == SECRET
    assert caplog.text == ""
    assert len(recwarn) == 0


def test_nan_is_not_hidden_in_unused_windows():
    data = example_file(BREAST, WindowCenter=[1, 7654321], WindowWidth=[2, 3])
    assert reason(data.replace(b"7654321", b"nan    ")) == "corrupt_header"
    assert math.isfinite(read_record(data).columns["window_center"][1])


def detail(data):
    with pytest.raises(Rejected) as caught:
        read_record(data)
    return caught.value.detail


def test_transfer_syntax_is_named_only_if_the_standard_knows_it():
    data = example_file(BREAST)
    known, other = b"1.2.840.10008.1.2.1\0", b"JANE DOE 1970-01-01\0"
    assert data.count(known) == 1
    mpeg = b"1.2.840.10008.1.2.4.100"
    start = data.index(known)
    assert detail(data.replace(known, other)) == "(0002,0010) is not of the standard"
    length = struct.pack("<H", len(mpeg) + 1)
    video = data[: start - 2] + length + mpeg + b"\0" + data[start + len(known) :]
    assert detail(video) == mpeg.decode()


def test_window_width_is_not_in_the_detail():
    assert "0.1234" not in detail(example_file(BREAST, WindowCenter=5, WindowWidth=0.1234))


def test_frames_of_a_screen_are_no_tomosynthesis():
    """As a projection they would be a row, with whatever text the screen showed."""
    dataset = dcmread(io.BytesIO(example_file(BREAST)))
    dataset.NumberOfFrames, dataset.PixelData = 2, 2 * dataset.PixelData
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.3"
    assert reason(written(dataset), volumes="mip") == "burned_in"


def test_a_sign_that_is_none():
    dataset = dcmread(io.BytesIO(example_file(BREAST)))
    dataset.PixelRepresentation = 2
    assert reason(written(dataset)) == "corrupt_header"
