"""Our decoders against pydicom's, small sizes against full ones, the child against this process."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Int

from mgray.dicom.child import DecodeChild
from mgray.dicom.codecs import decode_htj2k, encode_htj2k
from mgray.dicom.example import example_file, read_by_pydicom
from mgray.dicom.pixels import read_stored
from mgray.dicom.record import iter_frames, read_record
from mgray.errors import DataError
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.fidelity import fidelity_lines
from mgray.recipes.bench.figures import Comparison, Measured

SYNTAXES: Final = ("explicit", "deflated", "rle", "jpeg_lossless", "jpeg_ls", "j2k", "htj2k")
CALLS: Final = 3
"""Calls in a turn."""
Way = Callable[[], object]


def measure_codecs(config: BenchConfig, work: Path) -> Measured:
    """Compare decoders on the largest image of the archive, in one thread.

    pydicom takes the plugins that are installed; a syntax for which it has none has no line.

    Args:
        config: How often.
        work: Holds ``archive``.
    """
    path = largest_file(work / "archive")
    columns = read_record(path).columns
    stored = read_stored(columns)
    with DecodeChild() as child:
        ways = {**dict(_syntaxes(stored)), **dict(_reduced(stored))}
        isolated = partial(child.read, path), partial(read_record, path)
        ways["one file, in the child / here"] = isolated
        titled = track(ways.items(), "time codecs", len(ways), "works")
        found = [in_turns(what, *pair, config.repeats) for what, pair in titled]
    return Measured(found, notes=_fidelity(stored, columns))


def in_turns(what: str, ours: Way, bare: Way, repeats: int) -> Comparison:
    """Time both ways in turns, after one call of each that is not counted; ms a call."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for way in (ours, bare):
        way()
    for _ in range(repeats):
        for way, found in zip((ours, bare), seconds, strict=True):
            start = time.perf_counter()
            for _ in range(CALLS):
                way()
            found.append(1000 * (time.perf_counter() - start) / CALLS)
    return Comparison(what, "ms", *seconds)


def largest_file(archive: Path) -> Path:
    """The largest file of a phantom archive.

    Raises:
        DataError: There is none.
    """
    files = sorted((archive / "images").glob("*.dcm"))
    if not files:
        raise DataError("no images to decode: the archive is empty")
    return max(files, key=lambda path: path.stat().st_size)


def _fidelity(stored: Int[np.ndarray, "height width"], columns: Mapping[str, Any]) -> list[str]:
    """What half and quarter size keep inside the breast's box, in bright tissue."""
    x0, y0, x1, y1 = columns["breast_box"] or (0, 0, stored.shape[1], stored.shape[0])
    cut = np.ascontiguousarray(stored[y0:y1, x0:x1])
    return list(fidelity_lines(cut, cut > cut.mean() / 2, columns["bits_stored"]))


def _syntaxes(stored: Int[np.ndarray, "height width"]) -> Iterator[tuple[str, tuple[Way, Way]]]:
    bits = max(8, int(stored.max()).bit_length())
    for name in SYNTAXES:
        data = example_file(stored, name, bits_stored=bits)
        ours = partial(_first_frame, data)
        if _is_read_by_pydicom(data):
            yield f"{name} / pydicom", (ours, partial(read_by_pydicom, data))
        if name == "rle":
            yield "rle / pydicom without plugin", (ours, partial(read_by_pydicom, data, "pydicom"))


def _first_frame(data: bytes) -> object:
    return next(iter_frames(data))


def _is_read_by_pydicom(data: bytes) -> bool:
    try:
        read_by_pydicom(data)
    except RuntimeError:  # no plugin
        return False
    return True


def _reduced(stored: Int[np.ndarray, "height width"]) -> Iterator[tuple[str, tuple[Way, Way]]]:
    """Half and quarter size from the table's codec against full size and area averaging."""
    codestream = encode_htj2k(stored)
    for name, reduce in (("half", 1), ("quarter", 2)):
        ways = partial(decode_htj2k, codestream, reduce), partial(_resized, codestream, reduce)
        yield f"htj2k at {name} size / full and resize", ways


def _resized(codestream: bytes, reduce: int) -> object:
    import cv2

    full = decode_htj2k(codestream).astype(np.float32)
    size = (-(-full.shape[1] // 2**reduce), -(-full.shape[0] // 2**reduce))
    return cv2.resize(full, size, interpolation=cv2.INTER_AREA)
