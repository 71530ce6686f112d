"""Bytes to a parsed header, under caps.

pydicom reports faults by warnings and log lines that hold the attribute's value, so both are
silenced here, and every exception is replaced by a ``Rejected`` that names a tag at most.
"""

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

from mgray.dicom.attributes import value
from mgray.dicom.frames import PixelValue
from mgray.dicom.limits import Limits
from mgray.dicom.source import Bytes
from mgray.errors import Rejected

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC: Final = slice(128, 132)
IMPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
ITEM_TAGS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
READS_PER_ELEMENT: Final = 4
PIXEL_DATA: Final = 0x7FE00010
PIXEL_TAGS: Final = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
UNDEFINED: Final = 0xFFFFFFFF
EARLY_BYTES: Final = (2**16, 4 * 2**20)
"""Items are counted so far before parsing, which costs more than counting: in the first part alone
if pixel data seems to begin there."""


class Parsed(NamedTuple):
    """A data set up to its pixel data, which is not read."""

    dataset: "Dataset"
    syntax: str
    """Transfer syntax UID."""
    pixels: PixelValue | None
    """None if there is no (7FE0,0010)."""


class _Budget:
    """A file that refuses to be read more often than a header within the limits needs."""

    def __init__(self, data: Bytes, start: int, max_elements: int) -> None:
        self.data, self.at = data, start
        self.left = max_elements * READS_PER_ELEMENT
        self.short = False

    def read(self, size: int = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise Rejected("too_large", "too many data elements")
        found = self.data[self.at : len(self.data) if size < 0 else self.at + size]
        self.at += len(found)
        self.short |= 0 < len(found) < size
        return found

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.at = offset + (0, self.at, len(self.data))[whence]
        if self.at < 0:
            raise ValueError("before the file")
        return self.at

    def tell(self) -> int:
        return self.at


def parse(data: Bytes, limits: Limits) -> Parsed:
    """Parse a DICOM file with preamble, up to its pixel data.

    Raises:
        Rejected: ``empty``, ``too_large``, ``not_dicom`` or ``corrupt_header``.

    References:
        PS3.10 section 7.1.
    """
    if not len(data):
        raise Rejected("empty")
    if len(data) > limits.max_file_bytes:
        raise Rejected("too_large", f"{len(data)} bytes > {limits.max_file_bytes}")
    if data[MAGIC] != b"DICM":
        raise Rejected("not_dicom")
    try:
        return _parse(data, limits)
    except (KeyboardInterrupt, SystemExit, Rejected):
        raise
    except MemoryError:
        raise Rejected("too_large", "parsing ran out of memory") from None
    except Exception as error:
        raise Rejected("corrupt_header", type(error).__name__) from None


def _parse(data: Bytes, limits: Limits) -> Parsed:
    from pydicom.filereader import read_dataset

    head = _Budget(data, MAGIC.stop, limits.max_elements)
    meta = read_dataset(
        cast(BinaryIO, head), False, True, stop_when=lambda tag, vr, length: tag.group != 2
    )
    syntax = str(meta.get("TransferSyntaxUID", "")).strip()
    if not syntax:
        raise Rejected("corrupt_header", "(0002,0010) Transfer Syntax UID is missing")
    body, start = data, head.tell()
    if syntax == DEFLATED:
        body, start = _inflate(data[start : len(data)], limits.max_inflated_bytes), 0
    _count_items(_before_pixels(body, start), limits)
    file = _Budget(body, start, limits.max_elements)
    found: list[tuple[int, str | None, int]] = []

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        if tag == PIXEL_DATA:
            found[:] = [(file.tell(), vr, length)]
        return tag == PIXEL_DATA

    dataset = read_dataset(
        cast(BinaryIO, file), syntax == IMPLICIT, syntax != BIG, stop_when=at_pixels
    )
    if not found:
        if file.short:
            raise Rejected("corrupt_header", "the file ends inside an element")
        return Parsed(dataset, syntax, None)
    _count_items(body[start : found[0][0]], limits)
    return Parsed(dataset, syntax, _pixel_value(body, dataset, *found[0]))


def _pixel_value(
    body: Bytes, dataset: "Dataset", start: int, vr: str | None, length: int
) -> PixelValue:
    table = value(dataset, "ExtendedOffsetTable")
    text = table[: len(table) // 8 * 8] if isinstance(table, bytes) else b""
    offsets = struct.unpack(f"<{len(text) // 8}Q", text)
    return PixelValue(body, start, None if length == UNDEFINED else length, vr != "OB", offsets)


def _before_pixels(body: Bytes, start: int) -> bytes:
    """Read what may be header, as far as can be told without parsing."""
    early = b""
    for length in EARLY_BYTES:
        early = body[start : start + length]
        ends = [early.find(tag) for tag in PIXEL_TAGS]
        if max(ends) >= 0:
            return early[: max(ends)]
    return early


def _count_items(header: bytes, limits: Limits) -> None:
    if sum(header.count(tag) for tag in ITEM_TAGS) > limits.max_elements:
        raise Rejected("too_large", "too many sequence items")


def _inflate(data: bytes, limit: int) -> bytes:
    """Inflate at most ``limit`` bytes, PS3.5 A.5."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = stream.decompress(data, limit + 1)
    if len(inflated) > limit:
        raise Rejected("too_large", f"inflates to more than {limit} bytes")
    return inflated
