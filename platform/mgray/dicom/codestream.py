"""Size and kind of a compressed frame, read from its first markers without decoding it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mgray.errors import Rejected

SOC_SIZ = b"\xff\x4f\xff\x51"
SOI = b"\xff\xd8"
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
HT_CAPABILITY = 0x4000  # Rsiz bit 14: the stream uses Part 15 (HTJ2K) block coding
JPEG_FAMILY = {0xC0: "jpeg", 0xC1: "jpeg", 0xC2: "jpeg", 0xC3: "jpeg_lossless", 0xF7: "jpeg_ls"}
END = b"\xff\xd9"  # EOI of JPEG and EOC of JPEG 2000; in neither can coded samples hold it
SOT = b"\xff\x90"
SAMPLES = bytes(range(7, 250, 3))  # without a marker, and of many codes
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


def check_end(frame: bytes, header: FrameHeader) -> None:
    """Refuse a codestream that is not whole: some codecs fill what is missing with grey.

    It must have its end marker, and the tile-parts of JPEG 2000 must be as long as they say. JPEG
    and JPEG-LS name no lengths; nor does a last tile-part of length 0, which may be cut.

    Args:
        frame: One frame; bytes after the end marker are allowed.
        header: Of ``read_frame_header``.

    Raises:
        Rejected: ``corrupt_pixels``.

    References:
        ISO/IEC 10918-1 B.2.1, ISO/IEC 14495-1 C.1.2, ISO/IEC 15444-1 A.4.2 and A.4.4.
    """
    end = frame.rfind(END, max(0, len(frame) - TAIL))
    if end < 0:
        raise Rejected("corrupt_pixels", "the codestream is cut off: it has no end marker")
    try:
        whole = "2k" not in header.family or _adds_up(frame, header.start + 2, end)
    except struct.error:
        whole = False
    if not whole:
        raise Rejected("corrupt_pixels", "a part of the codestream is missing")


def size_ends(frame: bytes | memoryview) -> tuple[int, ...]:
    """Where the bytes end that hold a JPEG 2000 image at each of its sizes, the smallest first.

    Args:
        frame: A codestream that has a tile-part for each size, or its beginning up to the end of
            any tile-part.

    Returns:
        For each size that is there; one end alone if all sizes are in one tile-part.

    Raises:
        Rejected: ``corrupt_pixels``; it ends elsewhere.

    References:
        ISO/IEC 15444-1 A.4.2.
    """
    try:
        ends = tuple(_part_ends(frame, _main_end(frame, 2)))
    except struct.error:
        ends = ()
    if not ends or ends[-1] > len(frame) or frame[ends[-1] :] not in (b"", END):
        raise Rejected("corrupt_pixels", "the codestream ends within a tile-part")
    return ends


def with_more_samples(frame: bytes) -> bytes:
    """Put coded samples, of no meaning, before the end marker of a JPEG stream.

    A decoder that has all its samples passes over them; one that lacks some decodes them. They are
    repeated behind every restart marker, one of which is the next that the decoder waits for.
    """
    end = frame.rfind(END)
    restarts = b"".join(bytes([0xFF, code]) + SAMPLES for code in range(0xD0, 0xD8))
    return frame[:end] + SAMPLES + restarts + frame[end:]


def _adds_up(frame: bytes, at: int, end: int) -> bool:
    """Tell whether the main header's segments, from ``at``, and the tile-parts lead to an end."""
    start = _main_end(frame, at)
    last = [start, *_part_ends(frame, start, end)][-1]
    return frame[last : last + 2] == END


def _main_end(frame: bytes | memoryview, at: int) -> int:
    """Where the main header ends whose first segment after SOC is at ``at``."""
    while frame[at : at + 2] not in (SOT, END):
        (length,) = struct.unpack_from(">H", frame, at + 2)
        at += 2 + length
    return at


def _part_ends(frame: bytes | memoryview, at: int, end: int = 0) -> Iterator[int]:
    """Where each tile-part from ``at`` on ends; one of length 0 ends at ``end``."""
    while frame[at : at + 2] == SOT:
        (length,) = struct.unpack_from(">I", frame, at + 6)
        at += length or end - at
        yield at


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
