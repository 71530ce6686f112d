import io
import struct
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from mgray.dicom.codestream import check_end, read_frame_header, size_ends, with_more_samples
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


def tiled(parts):
    """A main header, tile-parts of so many bytes that say so, and the end."""
    whole = encode(IMAGE, "j2k", 12, False)
    first = whole.index(b"\xff\x90")
    part = struct.Struct(">HHHIBB")
    made = [part.pack(0xFF90, 10, 0, told, 0, 1) + bytes(size - 12) for told, size in parts]
    return whole[:first] + b"".join(made) + b"\xff\xd9"


def checked(frame):
    check_end(frame, read_frame_header(frame))


@pytest.mark.parametrize("rest", [b"", b"\0", bytes(900)])
@pytest.mark.parametrize("family", ["j2k", "htj2k", "jpeg_lossless", "jpeg_ls", "jpeg"])
def test_whole_codestream_passes_with_what_follows_its_end(family, rest):
    checked(encode(IMAGE, family, 12, False) + rest)


@pytest.mark.parametrize(
    "parts", [[(50, 50)], [(50, 50), (14, 14), (30, 30)], [(0, 50)], [(50, 50), (0, 70)]]
)
def test_tile_parts_that_add_up_pass(parts):
    checked(tiled(parts))


@pytest.mark.parametrize(
    "parts", [[(50, 49)], [(50, 51)], [(50, 50), (70, 20)], [(50, 30), (30, 30)], [(2**32 - 1, 50)]]
)
def test_tile_parts_that_do_not_add_up_are_refused(parts):
    with pytest.raises(Rejected, match="a part of the codestream is missing"):
        checked(tiled(parts))


@pytest.mark.parametrize("wrapped", [True, False])
def test_tiles_of_a_real_codestream_add_up(wrapped):
    image = np.random.default_rng(0).integers(0, 4096, (150, 130), dtype=np.uint16)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG2000", tile_size=(64, 64), no_jp2=not wrapped)
    frame = file.getvalue()
    assert frame.count(b"\xff\x90\0\x0a") == 9
    checked(frame)


@pytest.mark.parametrize("family", ["j2k", "htj2k"])
def test_every_part_cut_out_of_jpeg_2000_is_refused(family):
    frame = encode(IMAGE, family, 12, False)
    for start in range(60, len(frame) - 20, 50):
        with pytest.raises(Rejected):
            checked(frame[:start] + frame[start + 18 :])


@pytest.mark.parametrize("lossless", [True, False])
def test_more_samples_change_no_whole_jpeg(lossless):
    bits = {"lossless": True, "bitspersample": 12} if lossless else {"level": 90}
    image = IMAGE.astype(np.uint16 if lossless else np.uint8)
    frame = imagecodecs.jpeg8_encode(image, **bits)
    again = imagecodecs.jpeg8_decode(with_more_samples(bytes(frame)))
    np.testing.assert_array_equal(again, imagecodecs.jpeg8_decode(frame))


def test_every_tile_part_that_is_there_ends_a_size():
    frame = tiled([(50, 50), (14, 14), (30, 30)])
    ends = size_ends(frame)
    assert [end - start for start, end in pairwise(ends)] == [14, 30]
    assert ends[-1] == len(frame) - 2
    for place, end in enumerate(ends):
        assert size_ends(frame[:end]) == ends[: place + 1]
        assert size_ends(memoryview(frame)[:end]) == ends[: place + 1]


@pytest.mark.parametrize("more", [-1, 1, 2, 11, 13])
def test_a_head_that_does_not_end_with_a_tile_part_is_refused(more):
    frame = tiled([(50, 50), (14, 14), (30, 30)])
    with pytest.raises(Rejected, match="within a tile-part"):
        size_ends(frame[: size_ends(frame)[1] + more])


@pytest.mark.parametrize("frame", [b"", b"\xff\x4f\xff\x51 nothing", b"\xff\x4f\xff\xd9"])
def test_sizes_of_no_codestream_are_refused(frame):
    with pytest.raises(Rejected, match="within a tile-part"):
        size_ends(frame)
