"""Pixel data to frames, one at a time: only the frame that is asked for is in memory.

An encapsulated value is a list of fragments. Where there are as many fragments as frames, there is
one way to divide them; else the offset tables tell, and where these contradict the fragments (such
files exist) the codestreams' own first markers.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Integer

from mgray.dicom.codecs import FrameSpec
from mgray.dicom.codestream import is_codestream
from mgray.dicom.grey import is_inverted, is_padding
from mgray.dicom.source import Bytes
from mgray.errors import Rejected

ITEM, DELIMITER = 0xFFFEE000, 0xFFFEE0DD
NATIVE: Final = ("little", "big")
MAX_FRAGMENTS: Final = 50_000


@dataclass(frozen=True)
class PixelValue:
    """Where (7FE0,0010) lies.

    Args:
        data: The file, or the inflated data set.
        start: First byte of the value.
        length: As the file says; None if undefined.
        in_words: The value representation is OW: big endian swaps the bytes of words.
        offsets: (7FE0,0001), bytes from the first fragment's item; empty if the file has none.
    """

    data: Bytes
    start: int
    length: int | None
    in_words: bool = True
    offsets: tuple[int, ...] = ()


@dataclass(frozen=True)
class Frames:
    """The frames of one object, as bytes.

    Args:
        value: Where the pixel data lies.
        family: Of ``codecs.SYNTAXES``; where the value's form contradicts the transfer syntax, what
            the form tells.
        in_words: Single bytes that have to be swapped in pairs.
        parts: Frame by frame, its pieces: first byte and length.
        mislabelled: The transfer syntax is another one than the header says.
    """

    value: PixelValue
    family: str
    in_words: bool
    parts: Sequence[Sequence[tuple[int, int]]]
    mislabelled: bool

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[bytes]:
        """Read frame by frame."""
        return (self._frame(pieces) for pieces in self.parts)

    def _frame(self, pieces: Sequence[tuple[int, int]]) -> bytes:
        if self.in_words:
            return _swapped(self.value, *pieces[0])
        return b"".join(self.value.data[start : start + length] for start, length in pieces)


def find_frames(value: PixelValue, family: str, spec: FrameSpec, count: int) -> Frames:
    """Find the frames of a value without reading them.

    Args:
        value: Where the pixel data lies.
        family: As the transfer syntax says.
        spec: Of one frame.
        count: Number of frames.

    Raises:
        Rejected: ``header_mismatch`` or ``corrupt_pixels``.

    References:
        PS3.5 section 8.2 (native), A.4 (encapsulated); PS3.3 C.7.6.3.1.8 (extended offset table).
    """
    size = spec.rows * spec.columns * spec.bits_allocated // 8
    native = value.length in (size * count, size * count + size * count % 2)
    if value.length is not None and value.start + value.length > len(value.data):
        raise Rejected("header_mismatch", "(7FE0,0010) is longer than the file")
    if native and (family in NATIVE or _tag(value, value.start) != ITEM):
        parts = [[(value.start + size * index, size)] for index in range(count)]
        actual = family if family in NATIVE else "little"
        in_words = actual == "big" and value.in_words and spec.bits_allocated == 8
        return Frames(value, actual, in_words, parts, actual != family)
    if family in NATIVE and _tag(value, value.start) != ITEM:
        text = f"{value.length} bytes of pixel data, expected {size * count}"
        raise Rejected("header_mismatch", text)
    table, *fragments = _items(value, count)
    divided = _divide(value, table, fragments, count)
    actual = "jpeg" if family in NATIVE else family  # the codestream will tell
    return Frames(value, actual, False, divided, family in NATIVE)


def project(
    frames: Iterator[Integer[np.ndarray, "height width"]], columns: Mapping[str, Any]
) -> Integer[np.ndarray, "height width"]:
    """Compute the maximum intensity projection of a volume, frame by frame.

    The brightest value as displayed, so the lowest stored one where low values are bright. Padding
    never wins; it stays where all frames have it.

    Args:
        frames: Stored values.
        columns: Polarity, slope and padding, of ``schema.IMAGE``.
    """
    falling = is_inverted(columns) != ((columns["rescale_slope"] or 1.0) < 0)
    best = next(frames)
    for frame in frames:
        brighter = frame < best if falling else frame > best
        take = ~is_padding(frame, columns) & (is_padding(best, columns) | brighter)
        best = np.where(take, frame, best)
    return best


def _swapped(value: PixelValue, start: int, length: int) -> bytes:
    """Read single bytes that are stored in big-endian words, PS3.5 A.3."""
    skip = (start - value.start) % 2
    words = value.data[start - skip : start + length + (length + skip) % 2]
    return np.frombuffer(words, ">u2").astype("<u2").tobytes()[skip : skip + length]


def _items(value: PixelValue, count: int) -> list[tuple[int, int]]:
    """List the offset table and the fragments: first byte and length."""
    found: list[tuple[int, int]] = []
    at, end = value.start, len(value.data) if value.length is None else value.start + value.length
    while at < end or value.length is None:
        tag, length = _tag(value, at), _length(value, at)
        if tag == DELIMITER:
            break
        if tag != ITEM or at + 8 + length > end:
            raise Rejected("corrupt_pixels", "a fragment of the pixel data is cut off or damaged")
        found.append((at + 8, length))
        if len(found) > MAX_FRAGMENTS:
            raise Rejected("too_large", "too many fragments of pixel data")
        at += 8 + length
    fragments = [piece for piece in found[1:] if piece[1]]
    if len(fragments) < count:
        text = f"{len(fragments)} fragments of pixel data for {count} frames"
        raise Rejected("header_mismatch", text)
    return [found[0], *fragments]


def _divide(
    value: PixelValue, table: tuple[int, int], fragments: list[tuple[int, int]], count: int
) -> list[list[tuple[int, int]]]:
    start, length = table
    text = value.data[start : start + length // 4 * 4]
    offsets = struct.unpack(f"<{len(text) // 4}I", text)
    if offsets and len(offsets) != count:
        raise Rejected(
            "header_mismatch", f"{len(offsets)} frames in the offset table, expected {count}"
        )
    if len(fragments) == count:
        return [[piece] for piece in fragments]
    if count == 1:
        return [fragments]
    first = fragments[0][0]
    places = {at - first: index for index, (at, _) in enumerate(fragments)}
    for said in (offsets, value.offsets):
        starts = [places.get(offset, -1) for offset in said]
        if len(starts) == count and starts[0] == 0 and sorted(set(starts)) == starts:
            return _cut(fragments, starts)
    starts = [
        index
        for index, (at, size) in enumerate(fragments)
        if is_codestream(value.data[at : at + min(size, 12)])
    ]
    if len(starts) != count or starts[0] != 0:
        raise Rejected("header_mismatch", f"{len(fragments)} fragments for {count} frames")
    return _cut(fragments, starts)


def _cut(
    fragments: Sequence[tuple[int, int]], starts: Sequence[int]
) -> list[list[tuple[int, int]]]:
    ends = [*starts[1:], len(fragments)]
    return [list(fragments[a:b]) for a, b in zip(starts, ends, strict=True)]


def _tag(value: PixelValue, at: int) -> int:
    """Read an item's tag, 0 if cut off; items are little endian in every encapsulated syntax."""
    text = value.data[at : at + 4]
    if len(text) < 4:
        return 0
    group, element = struct.unpack("<HH", text)
    return int(group) << 16 | int(element)


def _length(value: PixelValue, at: int) -> int:
    text = value.data[at + 4 : at + 8]
    return int.from_bytes(text, "little") if len(text) == 4 else 2**32
