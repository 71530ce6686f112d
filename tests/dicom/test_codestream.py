import struct

import numpy as np
import pytest

from mgray.dicom.codestream import read_frame_header
from mgray.dicom.example import encode
from mgray.errors import Rejected

IMAGE = np.arange(35 * 52).reshape(35, 52)


@pytest.mark.parametrize("family", ["j2k", "htj2k", "jpeg_lossless", "jpeg_ls", "jpeg"])
def test_size_and_family_are_read(family):
    header = read_frame_header(encode(IMAGE, family, 12, False))
    assert (header.rows, header.columns, header.components) == (35, 52, 1)
    assert header.family == family


@pytest.mark.parametrize("signed", [False, True])
def test_sign_of_jpeg_2000_is_read(signed):
    assert read_frame_header(encode(IMAGE, "j2k", 12, signed)).signed is signed


def test_jpeg_has_no_sign():
    assert read_frame_header(encode(IMAGE, "jpeg_ls", 12, False)).signed is None


@pytest.mark.parametrize("family", ["j2k", "htj2k", "jpeg_lossless", "jpeg_ls"])
def test_every_cut_of_the_header_is_refused(family):
    frame = encode(IMAGE, family, 12, False)
    end = 45 if "2k" in family else frame.index(b"\xff\xda")
    for length in range(end):
        with pytest.raises(Rejected):
            read_frame_header(frame[:length])


def test_two_frame_headers_are_refused():
    frame = encode(IMAGE, "jpeg_lossless", 12, False)
    at = frame.index(b"\xff\xc3")
    doubled = frame[:at] + frame[at : at + 13] + frame[at:]
    with pytest.raises(Rejected, match="2 JPEG frame headers"):
        read_frame_header(doubled)


def test_a_million_tiles_are_refused():
    frame = bytearray(encode(IMAGE, "j2k", 12, False))
    struct.pack_into(">II", frame, 8, 60_000, 60_000)
    struct.pack_into(">II", frame, 24, 1, 1)
    with pytest.raises(Rejected, match="too many tiles"):
        read_frame_header(bytes(frame))


def test_text_is_no_codestream():
    with pytest.raises(Rejected, match="no JPEG or JPEG 2000"):
        read_frame_header(b"hello" * 100)
