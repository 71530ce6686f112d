"""One table: transfer syntax to decoder. And HTJ2K, the codec of the image table.

Every decoder gets one frame's bytes and the sizes that the header promises, and returns whatever
integer type its library chose; ``decode_frame`` checks the promise before and the shape after, and
makes it 16 bits, copying only what has to change. The codecs are imported when first used. GDCM is
never used: malformed files make it abort the process.
"""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np
from jaxtyping import Integer

from mgray.dicom.codestream import (
    END,
    FrameHeader,
    check_end,
    is_codestream,
    read_frame_header,
    size_ends,
    with_more_samples,
)
from mgray.errors import Rejected

Array = np.ndarray[Any, np.dtype[Any]]
HTJ2K_RESOLUTIONS: Final = 5
"""Wavelet levels of the table's codestreams: ``reduce`` may be 0 to 5."""
MOST_HEADS: Final = 3
"""Sizes below the full one whose share of a codestream the index tells: to an eighth."""
BY_SIZE: Final = 1
"""OpenJPH's word for a tile-part for each size."""

SYNTAXES: Final[dict[str, str]] = {
    "1.2.840.10008.1.2": "little",
    "1.2.840.10008.1.2.1": "little",
    "1.2.840.10008.1.2.1.99": "little",
    "1.2.840.10008.1.2.2": "big",
    "1.2.840.10008.1.2.4.50": "jpeg",
    "1.2.840.10008.1.2.4.51": "jpeg",
    "1.2.840.10008.1.2.4.57": "jpeg_lossless",
    "1.2.840.10008.1.2.4.70": "jpeg_lossless",
    "1.2.840.10008.1.2.4.80": "jpeg_ls",
    "1.2.840.10008.1.2.4.81": "jpeg_ls",
    "1.2.840.10008.1.2.4.90": "j2k",
    "1.2.840.10008.1.2.4.91": "j2k",
    "1.2.840.10008.1.2.4.201": "htj2k",
    "1.2.840.10008.1.2.4.202": "htj2k",
    "1.2.840.10008.1.2.4.203": "htj2k",
    "1.2.840.10008.1.2.5": "rle",
}
"""Transfer syntax UID to codec family, PS3.6 table A-1."""
PACKAGES: Final = {
    "imagecodecs": "imagecodecs",
    "openjpeg.utils": "pylibjpeg-openjpeg",
    "rle.utils": "pylibjpeg-rle",
}
"""Module of a codec to the package that brings it; all are in mgray's base install."""


@dataclass(frozen=True)
class FrameSpec:
    """What the DICOM header promises about one frame."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool


def decode_frame(
    frame: bytes, family: str, spec: FrameSpec
) -> tuple[Integer[np.ndarray, "height width"], bool]:
    """Decode one frame to its stored values.

    Args:
        frame: One frame: all its fragments joined, or the value of native pixel data.
        family: A value of ``SYNTAXES``.
        spec: The header's promise; a codestream that contradicts it is refused before it is
            decoded.

    Returns:
        Stored values, int16 if signed and else uint16, which may be a view of ``frame``; and
        whether the codestream is of another family than the transfer syntax says.

    Raises:
        Rejected: ``header_mismatch``, ``corrupt_pixels``, ``bad_pixels`` or ``too_large`` (out of
            memory).
    """
    actual, bits = family, spec.bits_allocated
    if family in _FROM_CODESTREAM or (family == "rle" and is_codestream(frame)):
        header = read_frame_header(frame)
        _check(header, spec)
        check_end(frame, header)
        actual, bits, frame = header.family, header.precision, frame[header.start :]
    raw = _guarded(_DECODERS[actual], frame, spec)
    if raw.shape != (spec.rows, spec.columns) or raw.dtype.kind not in "iu" or raw.itemsize > 2:
        raise Rejected("bad_pixels", f"decoded to shape {raw.shape} of {raw.dtype}")
    return _stored(raw, spec, bits), actual != family


def encode_htj2k(stored: Integer[np.ndarray, "height width"]) -> bytes:
    """Encode stored values losslessly (reversible 5/3), readable at every reduced size.

    Low-pass values overshoot the range of the pixels by up to 96 % of it, and OpenJPH wraps what
    its integer type cannot hold. So the samples are coded signed, as 16 bit where that margin fits
    (up to 14 bits unsigned) and else as 32 bit, which costs half as much time again.
    """
    below = 0 if stored.dtype.kind == "u" else abs(min(int(stored.min()), 0))
    low, high = sorted((below, max(int(stored.max()), 0)))
    if 2 * high + low >= 2**15:
        samples = np.ascontiguousarray(stored, np.int32)
    elif stored.itemsize == 2:
        samples = np.ascontiguousarray(stored).view(np.int16)  # a copy would cost as a codec does
    else:
        samples = np.ascontiguousarray(stored, np.int16)
    told = {"reversible": True, "tilepart": BY_SIZE}
    return bytes(codec("imagecodecs").htj2k_encode(samples, **told))


def htj2k_heads(codestream: bytes | memoryview) -> list[int]:
    """How many of its first bytes hold an image reduced by 1, 2, and more wavelet levels.

    Args:
        codestream: From ``encode_htj2k``, all of it. Older tables have codestreams of a single
            tile-part, for which the list is empty.
    """
    *smaller, _ = size_ends(codestream)
    return smaller[: -1 - MOST_HEADS : -1]


def decode_htj2k(codestream: bytes, reduce: int = 0) -> Integer[np.ndarray, "height width"]:
    """Decode what ``encode_htj2k`` made, signed integers of 16 or 32 bits.

    Args:
        codestream: From the image table, or its head of ``htj2k_heads``.
        reduce: Wavelet levels to leave out: 0 is full size, 1 half, 2 a quarter; up to
            ``HTJ2K_RESOLUTIONS``. Sizes round up. The values are the low-pass (LL) band, not
            clipped.

    Raises:
        Rejected: ``corrupt_pixels``.
        ValueError: No such size, or one that the head does not hold.
    """
    least = 0 if codestream.endswith(END) else HTJ2K_RESOLUTIONS + 1 - len(size_ends(codestream))
    if not least <= reduce <= HTJ2K_RESOLUTIONS:
        raise ValueError(f"reduce={reduce}: expected {least} to {HTJ2K_RESOLUTIONS}")
    try:
        return _open_jph(codestream, reduce)
    except Exception as error:
        raise Rejected("corrupt_pixels", f"HTJ2K: {type(error).__name__}") from None


def codec(module: str) -> Any:
    """Import a codec.

    Raises:
        Rejected: ``unsupported_syntax``, naming the package that brings it.
    """
    try:
        return import_module(module)
    except ImportError:
        package = PACKAGES[module]
        text = f"{package} is not installed: pip install {package}, or mgray again"
        raise Rejected("unsupported_syntax", text) from None


def _open_jph(codestream: bytes, reduce: int) -> Array:
    """Decode HTJ2K, and raise what imagecodecs swallows.

    An error after the header leaves a half-filled array; the exception is only reported as one
    that cannot be raised. So that report is listened to.
    """
    decode = codec("imagecodecs").htj2k_decode
    if sys.unraisablehook is not _listen:
        _Swallowed.others, sys.unraisablehook = sys.unraisablehook, _listen
    _SWALLOWED.count = 0
    try:
        values: Array = decode(codestream, skipres=reduce)
        if _SWALLOWED.count:
            raise ValueError("OpenJPH failed in the middle of the image")
    finally:
        del _SWALLOWED.count
    return values


class _Swallowed(threading.local):
    """Reports in this thread while it decodes; without ``count`` it does not listen."""

    count: int
    others: Callable[[Any], Any] = sys.__unraisablehook__


_SWALLOWED: Final = _Swallowed()


def _listen(report: "sys.UnraisableHookArgs") -> None:
    """Count one report of the decoding thread; all others go where they went before."""
    if hasattr(_SWALLOWED, "count"):
        _SWALLOWED.count += 1
    else:
        _Swallowed.others(report)


def _check(header: FrameHeader, spec: FrameSpec) -> None:
    found = (header.rows, header.columns, header.components)
    if found != (spec.rows, spec.columns, 1):
        text = f"codestream {found}, header {(spec.rows, spec.columns, 1)} rows, columns, samples"
        raise Rejected("header_mismatch", text)
    if header.precision > spec.bits_allocated:
        raise Rejected(
            "header_mismatch", f"codestream {header.precision} bits > {spec.bits_allocated}"
        )
    if header.signed not in (None, spec.signed):
        raise Rejected("header_mismatch", "codestream and (0028,0103) differ in sign")


def _guarded(decode: Callable[[bytes, FrameSpec], Array], frame: bytes, spec: FrameSpec) -> Array:
    """Turn whatever a codec throws into ``Rejected``; a Rust panic is a BaseException."""
    try:
        return decode(frame, spec)
    except (KeyboardInterrupt, SystemExit, Rejected):
        raise
    except MemoryError:
        raise Rejected("too_large", "decoding ran out of memory") from None
    except BaseException as error:
        raise Rejected("corrupt_pixels", type(error).__name__) from None


def _stored(raw: Array, spec: FrameSpec, bits: int) -> Integer[np.ndarray, "height width"]:
    """Make it 16 bits; two's complement where the codec knows no sign.

    That of ``bits_stored`` where no higher bit is set; else of all bits, so that values beyond
    ``bits_stored`` stay what they are, as they do without a sign.

    Args:
        raw: As decoded.
        spec: The header's promise.
        bits: Of a coded sample.
    """
    values = np.require(raw, np.int16 if spec.signed else np.uint16, ["C", "ALIGNED"])
    if spec.signed and raw.dtype.kind == "u":
        unused = 16 - (spec.bits_stored if int(raw.max()) < 1 << spec.bits_stored else bits)
        values = (values << unused) >> unused
    return values


def _native(frame: bytes | bytearray, spec: FrameSpec, order: str) -> Array:
    size = spec.rows * spec.columns * spec.bits_allocated // 8
    if len(frame) not in (size, size + size % 2):
        raise Rejected("header_mismatch", f"{len(frame)} bytes of pixel data, expected {size}")
    kind = f"{order}u{spec.bits_allocated // 8}"
    values = np.frombuffer(frame, kind, count=spec.rows * spec.columns)
    return values.reshape(spec.rows, spec.columns)


def _little(frame: bytes, spec: FrameSpec) -> Array:
    return _native(frame, spec, "<")


def _big(frame: bytes, spec: FrameSpec) -> Array:
    return _native(frame, spec, ">")


def _rle(frame: bytes, spec: FrameSpec) -> Array:
    segments = np.frombuffer(frame[:64], "<u4")
    wanted = spec.bits_allocated // 8
    starts = segments[1 : 1 + wanted].astype(np.int64)
    if segments[0] != wanted or starts[0] != 64 or (np.diff([*starts, len(frame)]) <= 0).any():
        raise Rejected("header_mismatch", "RLE segment table contradicts (0028,0100)")  # PS3.5 G.5
    decoded = codec("rle.utils").decode_pixel_data(
        frame, version=2, rows=spec.rows, columns=spec.columns, bits_allocated=spec.bits_allocated
    )
    return _native(decoded, spec, "<")


def _j2k(frame: bytes, spec: FrameSpec) -> Array:
    values: Array = codec("openjpeg.utils").decode(frame, j2k_format=0)
    return values


def _htj2k(frame: bytes, spec: FrameSpec) -> Array:
    return _open_jph(frame, 0)


def _jpeg(frame: bytes, spec: FrameSpec) -> Array:
    """Decode lossless, baseline or extended JPEG, all of whose samples are there.

    libjpeg fills rows, or blocks, that it has no samples for with the middle of the range, and
    says nothing. So where the last pixel has that value the frame is decoded again with more
    samples: only one that lacked some comes out different. What is lost in the middle also lacks
    at the end, unless restart markers hide it; of lossless JPEG, the end of the last row may be
    lost unseen.
    """
    decode = codec("imagecodecs").jpeg8_decode
    values: Array = decode(frame)
    filling = 1 << (read_frame_header(frame).precision - 1)
    if values.item(-1) == filling and not np.array_equal(values, decode(with_more_samples(frame))):
        raise Rejected("corrupt_pixels", "the codestream ends before the image does")
    return values


def _jpeg_ls(frame: bytes, spec: FrameSpec) -> Array:
    values: Array = codec("imagecodecs").jpegls_decode(frame)
    return values


_FROM_CODESTREAM: Final = frozenset({"jpeg", "jpeg_lossless", "jpeg_ls", "j2k", "htj2k"})
_DECODERS: Final[dict[str, Callable[[bytes, FrameSpec], Array]]] = {
    "little": _little,
    "big": _big,
    "rle": _rle,
    "jpeg": _jpeg,
    "jpeg_lossless": _jpeg,
    "jpeg_ls": _jpeg_ls,
    "j2k": _j2k,
    "htj2k": _htj2k,
}
