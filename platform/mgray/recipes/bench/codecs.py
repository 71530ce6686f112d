"""Our decoders against pydicom's, small sizes against full ones, the child against this process."""

import io
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Integer

from mgray.dicom.child import DecodeChild
from mgray.dicom.codecs import decode_htj2k, encode_htj2k
from mgray.dicom.codestream import SOC_SIZ
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
ISOLATED: Final = "one j2k file, in the child / here"
MOST_TIMES: Final = {
    "explicit / pydicom": 1.0,
    "deflated / pydicom": 1.0,
    "rle / pydicom": 1.0,
    "rle / pydicom without plugin": 1 / 4,
    "jpeg_lossless / pydicom": 1 / 4,
    "jpeg_ls / pydicom": 1 / 3,
    "jpeg_ls / pydicom with pyjpegls": 1.0,
    "j2k / pydicom": 1.0,
    "htj2k / pydicom": 1 / 2.5,
    "j2k frame, parsed and checked / bare codec": 1.03,
    ISOLATED: 1.03,
    "htj2k at half size / full and resize": 1 / 3,
    "htj2k at quarter size / full and resize": 1 / 10,
    "j2k at half size by Pillow / full and resize": 1 / 3,
    "j2k at quarter size by Pillow / full and resize": 1 / 10,
}
"""Goals. pyjpegls, which pydicom asks after gdcm, calls the library that we call."""
OTHER: Final = {"rle": ("without plugin", "pydicom"), "jpeg_ls": ("with pyjpegls", "pyjpegls")}
"""Syntax to another plugin of pydicom that it is compared with."""
NO_PEER: Final = "no plugin of pydicom that is installed reads {}: it has no line"
Way = Callable[[], object]


def measure_codecs(config: BenchConfig, archive: Path) -> Measured:
    """Compare decoders on the largest image of the archive, in one thread.

    Both ways get a file's bytes in memory and give an array. pydicom takes the plugins that are
    installed; a syntax for which it has none has no line.

    Args:
        config: How often.
        archive: Of phantoms, JPEG 2000.
    """
    path = largest_file(archive)
    columns = read_record(path).columns
    stored = read_stored(columns)
    with DecodeChild() as child:
        ways = {**dict(_syntaxes(stored)), **dict(_reduced(stored)), **dict(_bare(path, child))}
        titled = track(ways.items(), "time codecs", len(ways), "works")
        found = [in_turns(what, *pair, config.repeats) for what, pair in titled]
    absent = [NO_PEER.format(name) for name in SYNTAXES if f"{name} / pydicom" not in ways]
    return Measured(found, notes=[*absent, *_fidelity(stored, columns)])


def in_turns(what: str, ours: Way, bare: Way, repeats: int) -> Comparison:
    """Time both ways in turns, after one call of each that is not counted.

    Taken is the time of this process's processors, which other work disturbs least; for the child,
    which is another process, the clock's.
    """
    unit, clock = ("ms", time.perf_counter) if what == ISOLATED else ("CPU ms", time.process_time)
    seconds: tuple[list[float], list[float]] = ([], [])
    for way in (ours, bare):
        way()
    for _ in range(repeats):
        for way, found in zip((ours, bare), seconds, strict=True):
            start = clock()
            for _ in range(CALLS):
                way()
            found.append(1000 * (clock() - start) / CALLS)
    return Comparison(what, unit, *seconds, most_times=MOST_TIMES.get(what))


def largest_file(archive: Path) -> Path:
    """The largest file of a phantom archive.

    Raises:
        DataError: There is none.
    """
    files = sorted((archive / "images").glob("*.dcm"))
    if not files:
        raise DataError("no images to decode: the archive is empty")
    return max(files, key=lambda path: path.stat().st_size)


def _fidelity(stored: Integer[np.ndarray, "height width"], columns: Mapping[str, Any]) -> list[str]:
    """What half and quarter size keep inside the breast's box, in bright tissue."""
    x0, y0, x1, y1 = columns["breast_box"] or (0, 0, stored.shape[1], stored.shape[0])
    cut = np.ascontiguousarray(stored[y0:y1, x0:x1])
    return list(fidelity_lines(cut, cut > cut.mean() / 2, columns["bits_stored"]))


def _syntaxes(stored: Integer[np.ndarray, "height width"]) -> Iterator[tuple[str, tuple[Way, Way]]]:
    bits = max(8, int(stored.max()).bit_length())
    for name in SYNTAXES:
        data = example_file(stored, name, bits_stored=bits)
        ours = partial(_first_frame, data)
        if _is_read_by_pydicom(data):
            yield f"{name} / pydicom", (ours, partial(read_by_pydicom, data))
        if name in OTHER:
            words, plugin = OTHER[name]
            yield f"{name} / pydicom {words}", (ours, partial(read_by_pydicom, data, plugin))


def _bare(path: Path, child: DecodeChild) -> Iterator[tuple[str, tuple[Way, Way]]]:
    """What checks, the child and whole sizes cost for one file of JPEG 2000."""
    data = path.read_bytes()
    codestream = data[data.index(SOC_SIZ) :]
    decode = partial(_decode_j2k, codestream)
    yield "j2k frame, parsed and checked / bare codec", (partial(_first_frame, data), decode)
    isolated = partial(child.read, path), partial(read_record, path)
    yield ISOLATED, isolated
    for name, reduce in (("half", 1), ("quarter", 2)):
        ways = partial(_pillow, codestream, reduce), partial(_shrunk, decode, reduce)
        yield f"j2k at {name} size by Pillow / full and resize", ways


def _decode_j2k(codestream: bytes) -> Integer[np.ndarray, "height width"]:
    from openjpeg.utils import decode

    return np.asarray(decode(codestream, j2k_format=0))


def _pillow(codestream: bytes, reduce: int) -> object:
    """Leave wavelet levels out as Pillow can; sides that ``2**reduce`` divides only."""
    from PIL import Image

    image = Image.open(io.BytesIO(codestream))
    image.reduce = reduce  # type: ignore[assignment, method-assign]  # so says Pillow's manual
    return np.asarray(image)


def _first_frame(data: bytes) -> object:
    return next(iter_frames(data))


def _is_read_by_pydicom(data: bytes) -> bool:
    try:
        read_by_pydicom(data)
    except RuntimeError:  # no plugin
        return False
    return True


def _reduced(stored: Integer[np.ndarray, "height width"]) -> Iterator[tuple[str, tuple[Way, Way]]]:
    """Half and quarter size from the table's codec against full size and area averaging."""
    codestream = encode_htj2k(stored)
    for name, reduce in (("half", 1), ("quarter", 2)):
        full = partial(decode_htj2k, codestream)
        ways = partial(decode_htj2k, codestream, reduce), partial(_shrunk, full, reduce)
        yield f"htj2k at {name} size / full and resize", ways


def _shrunk(decode: Callable[[], Integer[np.ndarray, "height width"]], reduce: int) -> object:
    import cv2

    full = decode().astype(np.float32)
    size = (-(-full.shape[1] // 2**reduce), -(-full.shape[0] // 2**reduce))
    return cv2.resize(full, size, interpolation=cv2.INTER_AREA)
