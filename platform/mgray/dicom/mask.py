"""A finding's mask image becomes its box in the frame of the mammogram.

Archives name mask and cut-out crosswise and store masks of another size than their image: the mask
is told from the cut-out by what it is, and its box is brought to the image's size.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from mgray.dicom.limits import Limits
from mgray.dicom.raster import read_picture
from mgray.dicom.record import iter_frames
from mgray.dicom.source import opened
from mgray.errors import Rejected

HDF5: Final = b"\x89HDF\r\n\x1a\n"
TISSUE: Final = "dbt"
LESION: Final = 200
"""Tissue code of a lesion in T-SYNTH."""
BETWEEN: Final = (0.1, 0.9)
"""Shares of the maximum between which a mask has next to no pixel."""
MOST_BETWEEN: Final = 0.01
LEAST_SIDE: Final = 0.5
"""A mask has at least this share of its image's sides; a cut-out mostly has not."""


@dataclass(frozen=True)
class MaskBox:
    """Where a mask is set.

    Args:
        box: ``x0, y0, x1, y1``, dicom frame of the image, half-open; ``None`` without a mask.
        flags: Of ``schema.QC_FLAGS``.
    """

    box: list[float] | None
    flags: list[str]


def read_mask(candidates: Sequence[Path], rows: int, columns: int, limits: Limits) -> MaskBox:
    """Find the mask among files and bound it.

    A lone candidate is tried like any other: of a partial download the cut-out may be all there is.

    Args:
        candidates: The one that should be the mask first.
        rows: Height of the mammogram, pixels.
        columns: Width of the mammogram, pixels.
        limits: What one file may cost.
    """
    for number, path in enumerate(candidates):
        try:
            pixels = _read(path, limits)
        except Rejected:
            continue
        if _is_mask(pixels, rows, columns):
            flags = ["crop_mask_swapped"] * (number > 0)
            flags += ["mask_resized"] * (pixels.shape != (rows, columns))
            held = pixels > float(pixels.max()) / 2  # a JPEG's has a little noise around 0
            return MaskBox(_scaled(bound(held), pixels.shape, (rows, columns)), flags)
    return MaskBox(None, ["mask_unreadable"])


def bound(mask: Bool[np.ndarray, "height width"]) -> list[float]:
    """Bound the pixels that are set, at least one, half-open."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)]


def _read(path: Path, limits: Limits) -> Integer[np.ndarray, "height width"]:
    with opened(path, limits) as data:
        whole = data[0 : len(data)]
    if whole.startswith(HDF5):
        return _lesion_tissue(whole, limits)
    if whole[128:132] != b"DICM":
        return read_picture(whole, limits)
    return next(iter_frames(whole, limits))


def _lesion_tissue(data: bytes, limits: Limits) -> UInt8[np.ndarray, "height width"]:
    """Look through the tissue of a 2D image (T-SYNTH): set where it is a lesion.

    Beside a volume lies the tissue of each voxel, in another frame: refused.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            tissue = file[TISSUE]
            if tissue.ndim != 2 or tissue.shape[0] * tissue.shape[1] > limits.max_pixels:
                raise Rejected("corrupt_pixels", "the tissue of a mask is not that of a 2D image")
            found = np.asarray(tissue[()] == LESION)
    except (MemoryError, Rejected):
        raise
    except Exception as error:  # whatever a damaged file raises
        raise Rejected("corrupt_pixels", type(error).__name__) from None
    return np.asarray(found, np.uint8) * np.uint8(255)


def _is_mask(pixels: Integer[np.ndarray, "height width"], rows: int, columns: int) -> bool:
    """Tell a mask from a cut-out: nearly of the image's size, of two grey values, both there."""
    high = float(pixels.max())
    between = (pixels > BETWEEN[0] * high) & (pixels < BETWEEN[1] * high)
    large = pixels.shape[0] >= LEAST_SIDE * rows and pixels.shape[1] >= LEAST_SIDE * columns
    two = float(pixels.min()) < BETWEEN[0] * high and between.mean() < MOST_BETWEEN
    return bool(large and high > 0 and two)


def _scaled(box: Sequence[float], own: tuple[int, ...], full: tuple[int, int]) -> list[float]:
    """Bring edges from a mask's size to its image's; resizing the mask would round them."""
    sides = 2 * ((full[1], own[1]), (full[0], own[0]))
    return [edge * side / masked for edge, (side, masked) in zip(box, sides, strict=True)]
