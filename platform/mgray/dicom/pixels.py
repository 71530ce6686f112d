"""Pixels out of the image table: stored values, display values, at full or reduced size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mgray.dicom.codecs import decode_htj2k
from mgray.dicom.grey import apply_grey, stored_range


def read_stored(columns: Mapping[str, Any], reduce: int = 0) -> Int[np.ndarray, "height width"]:
    """Read stored values, int32.

    Args:
        columns: A row of ``schema.IMAGE``; ``pixels``, ``pixel_offset`` and the bit columns are
            used.
        reduce: Wavelet levels to leave out. Above 0 the result is the low-pass band, clipped to
            the range of ``bits_stored``; its size is ``ceil(n / 2**reduce)`` and
            ``reduced_affine`` maps coordinates to it.
    """
    values = decode_htj2k(columns["pixels"], reduce) - np.int32(columns["pixel_offset"])
    return np.clip(values, *stored_range(columns)) if reduce else values


def read_display(columns: Mapping[str, Any], reduce: int = 0) -> Float[np.ndarray, "height width"]:
    """Read display values: float32, 0 black to 1 white, windowed, padding black.

    Args:
        columns: A row of ``schema.IMAGE``.
        reduce: Wavelet levels to leave out, see ``read_stored``.
    """
    return apply_grey(read_stored(columns, reduce), columns)


def reduced_affine(reduce: int) -> Float[np.ndarray, "2 3"]:
    """Map half-open dicom coordinates to the reduced image: ``x' = (x + (2^r - 1)/2) / 2^r``.

    Sample ``i`` of the 5/3 low-pass band sits on pixel ``2^r i`` itself, not on the middle of the
    block that an area mean would cover. As pixel indices that is ``i = p / 2^r``; half-open edges
    add half a pixel on both sides.
    """
    scale = 2.0**-reduce
    shift = (1.0 - scale) / 2.0
    return np.array([[scale, 0.0, shift], [0.0, scale, shift]])
