"""Files made by hand to break decoders (TRUST §1): each is refused by name, or harmless."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite

from mgray.dicom.child import DecodeChild
from mgray.dicom.example import SYNTAX, encode, example_file
from mgray.dicom.pixels import read_stored
from mgray.dicom.record import read_record
from mgray.errors import Rejected
from tests.dicom.corpus import encapsulate

IMAGE = np.random.default_rng(0).integers(0, 4096, (64, 48))
CODED = ["j2k", "htj2k", "jpeg_ls", "jpeg_lossless", "jpeg", "rle"]
BITS = {"jpeg": 8}


def coded(frame, syntax, **attributes):
    """A file around any bytes as its only frame."""
    bits = BITS.get(syntax, 12)
    made = example_file(IMAGE >> 12 - bits, syntax, bits, **attributes)
    dataset = dcmread(io.BytesIO(made))
    dataset.PixelData = encapsulate([frame])[0]
    file = io.BytesIO()
    dcmwrite(file, dataset)
    return file.getvalue()


def frame_of(syntax):
    bits = BITS.get(syntax, 12)
    return encode(IMAGE >> 12 - bits, syntax, bits, False)


def fate(data, **more):
    """The reason of the refusal, else the record."""
    try:
        return read_record(data, **more)
    except Rejected as refusal:
        return refusal.reason


def with_size(frame, syntax, rows, columns):
    """Another size in the codestream's header."""
    if "2k" in syntax:
        return frame[:8] + struct.pack(">II", columns, rows) + frame[16:]
    marker = {"jpeg_ls": b"\xff\xf7", "jpeg_lossless": b"\xff\xc3", "jpeg": b"\xff\xc0"}[syntax]
    at = frame.index(marker) + 5
    return frame[:at] + struct.pack(">HH", rows & 0xFFFF, columns & 0xFFFF) + frame[at + 4 :]


@pytest.mark.parametrize("side", [20_000, 40_000, 65_535])
@pytest.mark.parametrize("syntax", ["j2k", "htj2k", "jpeg_ls", "jpeg_lossless", "jpeg"])
def test_bomb_whose_codestream_claims_a_huge_image(syntax, side):
    bomb = with_size(frame_of(syntax), syntax, side, side)
    assert fate(coded(bomb, syntax)) == "header_mismatch"
    dataset = dcmread(io.BytesIO(coded(bomb, syntax)))
    dataset.Rows = dataset.Columns = side
    file = io.BytesIO()
    dcmwrite(file, dataset)
    assert fate(file.getvalue()) == "too_large"


def test_jpeg_2000_of_2_to_31_columns():
    assert fate(coded(with_size(frame_of("j2k"), "j2k", 2**31 - 1, 2**31 - 1), "j2k")) == (
        "header_mismatch"
    )


@pytest.mark.parametrize("syntax", ["j2k", "htj2k"])
def test_jpeg_2000_of_38_bits(syntax):
    frame = bytearray(frame_of(syntax))
    frame[42] = 37
    assert fate(coded(bytes(frame), syntax)) == "header_mismatch"


@pytest.mark.parametrize("syntax", sorted(SYNTAX))
def test_three_samples_per_pixel_on_a_grey_image(syntax):
    image, bits = IMAGE >> 12 - BITS.get(syntax, 12), BITS.get(syntax, 12)
    assert fate(example_file(image, syntax, bits, SamplesPerPixel=3)) == "unsupported_kind"


@pytest.mark.parametrize("syntax", ["j2k", "htj2k", "jpeg_ls", "jpeg_lossless", "jpeg"])
def test_rows_of_the_codestream_doubled(syntax):
    assert fate(coded(with_size(frame_of(syntax), syntax, 128, 48), syntax)) == "header_mismatch"


@pytest.mark.parametrize("percent", [2, 10, 50, 90, 99])
@pytest.mark.parametrize("syntax", CODED)
def test_codestream_cut_off(syntax, percent):
    frame = frame_of(syntax)
    found = fate(coded(frame[: len(frame) * percent // 100], syntax))
    assert found in ("corrupt_pixels", "header_mismatch", "bad_pixels")


@pytest.mark.parametrize("syntax", CODED)
def test_codestream_with_zeroes_in_the_middle_stays_within_its_promise(syntax):
    frame = bytearray(frame_of(syntax))
    middle = len(frame) // 2
    frame[middle : middle + 200] = bytes(200)
    found = fate(coded(bytes(frame), syntax))
    if isinstance(found, str):
        assert found in ("corrupt_pixels", "bad_pixels")
    else:
        stored = read_stored(found.columns)
        assert stored.shape == (64, 48)
        assert 0 <= stored.min() <= stored.max() < 2**16


def test_damage_that_leaves_the_bits_stored_is_flagged():
    data = example_file(IMAGE, BitsStored=8, HighBit=7)
    assert "values_over_bits_stored" in read_record(data).columns["qc_flags"]


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big", "deflated"])
@pytest.mark.parametrize("length", [0xFFFFFFFE, 2 * 64 * 48 * 2, 64 * 48 * 2 + 2, 100])
def test_pixel_data_of_another_length(syntax, length):
    data = example_file(IMAGE, syntax)
    start, order = 144 + struct.unpack_from("<I", data, 140)[0], ">" if syntax == "big" else "<"
    body = zlib.decompress(data[start:], -15) if syntax == "deflated" else data[start:]
    truth = struct.pack(order + "I", IMAGE.size * 2)
    at = body.rindex(truth, 0, body.index(struct.pack(order + "HH", 0x7FE0, 0x10)) + 12)
    body = body[:at] + struct.pack(order + "I", length) + body[at + 4 :]
    if syntax == "deflated":
        packed = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packed.compress(body) + packed.flush()
    assert fate(data[:start] + body) == "header_mismatch"


@pytest.mark.parametrize("length", [0x7FFFFFFF, 0x7FFFFFFE, 0xFFFFFFFF, 0xFFFFFFFE, 7])
@pytest.mark.parametrize("syntax", ["j2k", "rle", "jpeg_ls"])
def test_fragment_of_another_length(syntax, length):
    data = example_file(IMAGE, syntax)
    at = data.index(b"\xfe\xff\x00\xe0", data.index(b"\xe0\x7f\x10\x00") + 16) + 4
    assert fate(data[:at] + struct.pack("<I", length) + data[at + 4 :]) == "corrupt_pixels"


def test_pixel_data_without_its_end():
    data = example_file(IMAGE, "j2k")
    assert data.endswith(b"\xfe\xff\xdd\xe0\0\0\0\0")
    assert fate(data[:-8]) == "corrupt_pixels"


@pytest.mark.parametrize("syntax", ["j2k", "rle", "jpeg_ls"])
def test_two_frames_and_one_fragment(syntax):
    data = example_file(IMAGE, syntax, NumberOfFrames=2)
    assert fate(data) == "unsupported_kind"
    assert fate(data, volumes="mip") == "header_mismatch"


@pytest.mark.parametrize("frames", [2**31 - 1, 70_000])
def test_absurd_number_of_frames_of_a_volume(frames):
    assert fate(example_file(IMAGE, NumberOfFrames=frames), volumes="mip") == "too_large"


def test_deflate_bomb_under_the_default_limits_is_quick():
    data = example_file(IMAGE, "deflated")
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeroes = b"".join(packed.compress(bytes(2**24)) for _ in range(20)) + packed.flush()
    began = time.process_time()
    assert fate(data[:start] + zeroes) == "too_large"
    assert time.process_time() - began < 5


def inserted(data, elements):
    """Private elements in front of the patient's."""
    at = data.index(b"\x10\0\x20\0LO")
    return data[:at] + elements + data[at:]


@pytest.mark.parametrize("depth", [32, 500])
def test_nesting_of_any_depth_ends(depth):
    sequence = struct.pack("<HH2sHI", 9, 0x1002, b"SQ", 0, 0xFFFFFFFF)
    start, end = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0"
    nested = (sequence + start) * depth + (end + b"\xfe\xff\xdd\xe0\0\0\0\0") * depth
    found = fate(inserted(example_file(IMAGE), nested))
    assert found == "corrupt_header" or read_stored(found.columns).shape == (64, 48)


def test_empty_items_in_a_sequence_of_known_length():
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 60_000
    element = struct.pack("<HH2sHI", 9, 0x1002, b"SQ", 0, len(items)) + items
    assert fate(inserted(example_file(IMAGE), element)) == "too_large"


def test_two_million_tiny_elements_end_soon():
    tiny = b"".join(struct.pack("<HH2sH", 9, 0x1000 + n, b"LO", 0) for n in range(2000)) * 1000
    began = time.process_time()
    assert fate(inserted(example_file(IMAGE), tiny)) == "too_large"
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "preamble",
    [b"MZ\x90\0", b"\x7fELF\2\1\1", b"II*\0\x08\0\0\0", b"%PDF-1.7\n", b"#!/bin/sh\nexit 1\n",
     b"PK\3\4\x14\0", b"\x1f\x8b\x08\0", b"<html><script>"],
)  # fmt: skip
def test_polyglot_preamble_is_left_behind(preamble):
    plain = example_file(IMAGE, "j2k")
    found = read_record(preamble.ljust(128, b"\0") + plain[128:]).columns
    assert preamble not in repr(found).encode()
    clean = read_record(plain).columns
    assert {k: v for k, v in found.items() if v != clean[k]}.keys() <= {"source_sha256"}


@pytest.mark.parametrize(
    "start", [b"MZ", b"\x7fELF", b"II*\0", b"%PDF", b"PK\3\4", b"\x1f\x8b", b"\xff\xd8", b"{"]
)
def test_files_of_other_kinds_are_not_dicom(start):
    assert fate(start + b"\0" * 400) == "not_dicom"


def test_archive_behind_a_mammogram_is_not_looked_into():
    tail = b"PK\3\4" + bytes(26) + b"PK\5\6" + bytes(18)
    found = read_record(example_file(IMAGE, "j2k") + tail).columns
    np.testing.assert_array_equal(read_stored(found), IMAGE)


def test_dicomdir_opens_no_other_file():
    meta = dcmread(io.BytesIO(example_file(IMAGE)))
    meta.SOPClassUID = meta.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    record = Dataset()
    record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", "ZZSECRET"
    meta.DirectoryRecordSequence = [record]
    file = io.BytesIO()
    dcmwrite(file, meta)
    assert fate(file.getvalue()) == "wrong_modality"


def test_every_bomb_leaves_the_child_alive():
    bombs = [
        coded(with_size(frame_of(s), s, 65_535, 65_535), s) for s in ("j2k", "jpeg_ls", "jpeg")
    ]
    with DecodeChild() as child:
        good = child.read(example_file(IMAGE))
        for bomb in bombs:
            with pytest.raises(Rejected):
                child.read(bomb)
        assert child.read(example_file(IMAGE)) == good
        assert child.starts == 1
