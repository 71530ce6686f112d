"""Bytes to a parsed header under caps, and its attributes as columns of the image table.

pydicom reports faults by warnings and log lines that hold the attribute's value, so both are
silenced here, and every exception is replaced by a ``Rejected`` that names a tag at most.
"""

import math
import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, cast

import numpy as np

from mgray.dicom.frames import PixelValue
from mgray.dicom.limits import Limits
from mgray.dicom.source import Bytes
from mgray.errors import Rejected

if TYPE_CHECKING:
    from pydicom import Dataset as Dataset  # noqa: PLC0414 - for rooms that may not import pydicom

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


def value(dataset: "Dataset", keyword: str) -> Any:
    """Read one attribute; None if absent or empty.

    Raises:
        Rejected: ``corrupt_header``; the value cannot be read as its type.
    """
    try:
        found = dataset.get(keyword)
        return found if found or found == 0 else None
    except Exception:
        raise Rejected("corrupt_header", f"{keyword} cannot be read") from None


def uid_name(uid: str) -> str:
    """Name a UID of the standard, e.g. ``JPEG 2000 Image Compression``; others name themselves."""
    from pydicom.uid import UID

    return str(UID(uid).name)


def text(dataset: "Dataset", keyword: str) -> str | None:
    """Read one attribute as text without outer blanks."""
    found = value(dataset, keyword)
    return (str(found).strip() or None) if found is not None else None


def texts(dataset: "Dataset", keyword: str) -> list[str] | None:
    """Read a multi-valued attribute as a list of texts."""
    found = _many(dataset, keyword)
    return [str(item).strip() for item in found] if found else None


def number(dataset: "Dataset", keyword: str) -> float | None:
    """Read one number, which may be given as text."""
    found = numbers(dataset, keyword)
    return found[0] if found else None


def numbers(dataset: "Dataset", keyword: str) -> list[float] | None:
    """Read a multi-valued attribute as numbers."""
    found = _many(dataset, keyword)
    try:
        values = [float(item) for item in found]
    except (TypeError, ValueError, OverflowError):
        values = [math.nan]
    if not all(map(math.isfinite, values)):
        raise Rejected("corrupt_header", f"{keyword} is not a finite number")
    return values or None


def integer(dataset: "Dataset", keyword: str, default: int | None = None) -> int | None:
    """Read one whole number of 32 bits."""
    found = number(dataset, keyword)
    if found is None:
        return default
    if not found.is_integer() or abs(found) >= 2**31:
        raise Rejected("corrupt_header", f"{keyword} is not a whole number of 32 bits")
    return int(found)


def stored_integer(dataset: "Dataset", keyword: str) -> int | None:
    """Read a US-or-SS attribute in the sign of the pixels, (0028,0103)."""
    found = value(dataset, keyword)
    if found is None:
        return None
    signed = integer(dataset, "PixelRepresentation") == 1
    if isinstance(found, bytes):
        return int.from_bytes(found[:2], "little", signed=signed)
    bits = int(found) & 0xFFFF
    return bits - 0x10000 if signed and bits & 0x8000 else bits


def functional_group(dataset: "Dataset", keyword: str) -> "Dataset":
    """Find a macro of an enhanced object: shared by all frames, else of the first frame.

    Returns:
        The macro's item; the data set itself where it has no such macro.

    References:
        PS3.3 C.7.6.16.
    """
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        group = value(dataset, groups)
        macro = value(group[0], keyword) if group is not None and _has_items(group) else None
        if macro is not None and _has_items(macro):
            return cast("Dataset", macro[0])
    return dataset


def voi_lut(dataset: "Dataset", place: "Dataset | None" = None) -> list[float] | None:
    """Read the first VOI LUT as first mapped value, bits, entries; None if the file has none.

    Args:
        dataset: The whole, for byte order and sign.
        place: The macro that holds the sequence; the data set itself if not given.

    References:
        PS3.3 C.11.2.1.1.
    """
    items = value(dataset if place is None else place, "VOILUTSequence")
    if not items:
        return None
    try:
        count, first, bits = (int(part) for part in items[0].LUTDescriptor)
        raw = items[0].LUTData
        count = count & 0xFFFF or 0x10000
        entries = _entries(raw, count, bits, dataset.original_encoding[1] is not False)
    except Exception:
        raise Rejected("corrupt_header", "VOILUTSequence cannot be read") from None
    if len(entries) < count or not 8 <= bits <= 16:
        raise Rejected("corrupt_header", "VOILUTSequence contradicts its descriptor")
    if integer(dataset, "PixelRepresentation") == 1 and first >= 0x8000:
        first -= 0x10000
    return [float(first), float(bits), *entries[:count]]


def _has_items(sequence: Any) -> bool:
    return not isinstance(sequence, bytes | str) and len(sequence) > 0


def _entries(raw: Any, count: int, bits: int, little: bool) -> list[float]:
    """Read unsigned entries: words, or bytes where there are only that many."""
    if not isinstance(raw, bytes):
        return [float(int(entry) & 0xFFFF) for entry in np.atleast_1d(raw)]
    if bits == 8 and len(raw) in (count, count + count % 2) and count > 1:
        if not little:  # bytes in words, PS3.5 A.3
            raw = np.frombuffer(raw, ">u2").astype("<u2").tobytes()
        return [float(entry) for entry in raw[:count]]
    half = struct.iter_unpack("<H" if little else ">H", raw[: len(raw) // 2 * 2])
    return [float(entry) for (entry,) in half]


def _many(dataset: "Dataset", keyword: str) -> list[Any]:
    found = value(dataset, keyword)
    if found is None:
        return []
    return (
        [found]
        if isinstance(found, str | bytes | int | float) or not hasattr(found, "__iter__")
        else list(found)
    )


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
