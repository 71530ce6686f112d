"""Size and kind of a compressed frame, read from its first markers without decoding it."""

import struct
from dataclasses import dataclass

from mgray.errors import Rejected

SOC_SIZ = b"\xff\x4f\xff\x51"
SOI = b"\xff\xd8"
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
HT_CAPABILITY = 0x4000  # Rsiz bit 14: the stream uses Part 15 (HTJ2K) block coding
JPEG_FAMILY = {0xC0: "jpeg", 0xC1: "jpeg", 0xC2: "jpeg", 0xC3: "jpeg_lossless", 0xF7: "jpeg_ls"}
END = b"\xff\xd9"  # EOI of JPEG and EOC of JPEG 2000; in neither can coded samples hold it
TAIL = 65_536
MAX_TILES = 65_535  # ISO 15444-1 A.4.2: Isot has 16 bits


@dataclass(frozen=True)
class FrameHeader:
    """What a codestream says about itself."""

    family: str
    """j2k, htj2k, jpeg, jpeg_lossless or jpeg_ls."""
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None
    """None where the format cannot tell."""
    start: int = 0
    """Offset of the codestream in the frame; above 0 in a JP2 file."""


def read_frame_header(frame: bytes) -> FrameHeader:
    """Read SIZ of a JPEG 2000 stream or SOF of a JPEG one.

    Raises:
        Rejected: ``corrupt_pixels``; neither, or cut off.

    References:
        ISO/IEC 15444-1 A.5.1, ISO/IEC 10918-1 B.2.2.
    """
    try:
        if frame[:2] == SOI:
            return _read_sof(frame)
        start = frame.find(SOC_SIZ, 0, 4096)
        if start >= 0:
            return _read_siz(frame, start)
    except (struct.error, IndexError):
        raise Rejected("corrupt_pixels", "the codestream's header is cut off") from None
    raise Rejected("corrupt_pixels", "no JPEG or JPEG 2000 codestream found")


def is_codestream(data: bytes) -> bool:
    """Tell whether bytes begin a JPEG or JPEG 2000 stream, or a JP2 file."""
    return data.startswith((SOI, SOC_SIZ, JP2))


def check_end(frame: bytes) -> None:
    """Refuse a codestream without its end marker: some codecs fill what was cut off with grey.

    Raises:
        Rejected: ``corrupt_pixels``.

    References:
        ISO/IEC 10918-1 B.2.1, ISO/IEC 14495-1 C.1.2, ISO/IEC 15444-1 A.4.4.
    """
    if frame.rfind(END, max(0, len(frame) - TAIL)) < 0:
        raise Rejected("corrupt_pixels", "the codestream is cut off: it has no end marker")


def _read_siz(frame: bytes, start: int) -> FrameHeader:
    _, capability, *grid = struct.unpack_from(">HH8I", frame, start + 4)
    components, depth, dx, dy = struct.unpack_from(">HBBB", frame, start + 40)
    width, height, left, top, tile_width, tile_height, *_ = grid
    rows, columns = height - top, width - left
    tiles = -(-width // max(tile_width, 1)) * -(-height // max(tile_height, 1))
    if (dx, dy) != (1, 1) or tiles > MAX_TILES or 0 in (tile_width, tile_height):
        raise Rejected("header_mismatch", "the codestream is subsampled or has too many tiles")
    family = "htj2k" if capability & HT_CAPABILITY else "j2k"
    precision, signed = (depth & 0x7F) + 1, bool(depth & 0x80)
    return FrameHeader(family, rows, columns, components, precision, signed, start)


def _read_sof(frame: bytes) -> FrameHeader:
    at, found = 2, []
    while (code := frame[at + 1]) != 0xDA:  # start of scan
        if frame[at] != 0xFF:
            raise Rejected("corrupt_pixels", "a JPEG marker is missing")
        if code == 0xFF:  # fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if code in JPEG_FAMILY:
            precision, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
            family = JPEG_FAMILY[code]
            found.append(FrameHeader(family, rows, columns, components, precision, None))
        at += 2 + length
    if len(found) != 1:
        raise Rejected("corrupt_pixels", f"{len(found)} JPEG frame headers, expected 1")
    return found[0]
