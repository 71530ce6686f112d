"""Attributes of a data set as plain values, or a ``Rejected`` that tells no more than a keyword."""

import math
import struct
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mgray.errors import Rejected

if TYPE_CHECKING:
    from pydicom import Dataset as Dataset  # noqa: PLC0414 - for rooms that may not import pydicom


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
    """Read a US-or-SS attribute as a stored value, in the sign of the pixels, (0028,0103).

    As of pixels, the two's complement is that of (0028,0101) where no higher bit is set, else of
    16 bits.

    Raises:
        Rejected: ``corrupt_header``; it is not one number.
    """
    found = value(dataset, keyword)
    if found is None:
        return None
    try:
        told = int.from_bytes(found[:2], "little") if isinstance(found, bytes) else int(found)
    except (TypeError, ValueError, OverflowError):
        raise Rejected("corrupt_header", f"{keyword} is not one whole number") from None
    pattern, bits = told & 0xFFFF, integer(dataset, "BitsStored") or 16
    sign = 1 << (bits if pattern < 1 << bits else 16) - 1
    return (pattern ^ sign) - sign if integer(dataset, "PixelRepresentation") == 1 else pattern


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
    if first >= 0x8000 and _maps_negatives(dataset):
        first -= 0x10000
    return [float(first), float(bits), *entries[:count]]


def _maps_negatives(dataset: "Dataset") -> bool:
    """Tell whether a VOI LUT's first mapped value is signed: stored or rescaled values may be."""
    rescale = functional_group(dataset, "PixelValueTransformationSequence")
    slope, intercept = number(rescale, "RescaleSlope"), number(rescale, "RescaleIntercept")
    highest = 2 ** (integer(dataset, "BitsStored") or 16) - 1
    lowest = min(0.0, (1.0 if slope is None else slope) * highest) + (intercept or 0.0)
    return integer(dataset, "PixelRepresentation") == 1 or lowest < 0


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
