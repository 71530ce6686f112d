"""Pixels out of the image table: stored values, display values, at full or reduced size."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int

from mgray.dicom.codecs import HTJ2K_RESOLUTIONS, decode_htj2k, encode_htj2k
from mgray.dicom.grey import apply_grey, pixel_range

STORED_COLUMNS: Final = (
    "pixel_reduce",
    "pixel_offset",
    "bits_allocated",
    "bits_stored",
    "pixel_representation",
    "qc_flags",
)
"""What ``read_stored`` reads of a row beside its pixels."""
DISPLAY_COLUMNS: Final = (
    *STORED_COLUMNS,
    "rescale_slope",
    "rescale_intercept",
    "window_center",
    "window_width",
    "voi_lut",
    "voi_lut_function",
    "photometric_interpretation",
    "presentation_lut_shape",
    "pixel_padding_value",
    "pixel_padding_range_limit",
)
"""What ``read_display`` reads of a row beside its pixels."""


def read_stored(columns: Mapping[str, Any], reduce: int = 0) -> Int[np.ndarray, "height width"]:
    """Read stored values, signed integers of 16 bits where these hold them, else of 32.

    Args:
        columns: A row of ``schema.IMAGE``; ``pixels`` and ``STORED_COLUMNS`` are used.
        reduce: Wavelet levels to leave out, at least ``pixel_reduce``. Above 0 the result is
            the low-pass band, clipped to ``grey.pixel_range``; its size is
            ``ceil(n / 2**reduce)`` and ``reduced_affine`` maps coordinates to it.
    """
    kept = int(columns["pixel_reduce"])
    if reduce < kept:
        raise ValueError(
            f"reduce={reduce}: expected {kept} or more, the table holds no larger size"
        )
    values = decode_htj2k(columns["pixels"], reduce - kept)
    if columns["pixel_offset"]:
        values = values - np.int32(columns["pixel_offset"])
    return _within(values, *pixel_range(columns)) if reduce else values


def _within(
    values: Int[np.ndarray, "height width"], low: int, high: int
) -> Int[np.ndarray, "height width"]:
    """Clip in place, to as much of the range as the type can hold."""
    held = np.iinfo(values.dtype)
    return np.clip(values, max(low, held.min), min(high, held.max), out=values)


def read_display(columns: Mapping[str, Any], reduce: int = 0) -> Float[np.ndarray, "height width"]:
    """Read display values: float32, 0 black to 1 white, windowed, padding black.

    At reduced sizes padding is matched by equality on the low-pass band, so a seam of mixed values
    stays where it meets the image.

    Args:
        columns: A row of ``schema.IMAGE``.
        reduce: Wavelet levels to leave out, see ``read_stored``.
    """
    return apply_grey(read_stored(columns, reduce), columns)


def reduce_to(rows: int, columns: int, long_side: int) -> int:
    """Most wavelet levels that can be left out with ``long_side`` pixels left on the long side.

    Args:
        rows: Height of the dicom frame, pixels.
        columns: Width of the dicom frame, pixels.
        long_side: Pixels.
    """
    longest, reduce = max(rows, columns), 0
    while reduce < HTJ2K_RESOLUTIONS and -(-longest // 2 ** (reduce + 1)) >= long_side:
        reduce += 1
    return reduce


def keep_resolution(columns: Mapping[str, Any], long_side: int) -> dict[str, Any]:
    """Keep only the smallest wavelet level whose long side has ``long_side`` pixels or more.

    The band is kept unclipped, so that every smaller size reads as it does from the full image.

    Args:
        columns: A row of ``schema.IMAGE`` at full size; left unchanged.
        long_side: Pixels.
    """
    reduce = reduce_to(columns["rows"], columns["columns"], long_side)
    if reduce == 0:
        return dict(columns)
    band = decode_htj2k(columns["pixels"], reduce)
    return {**columns, "pixels": encode_htj2k(band), "pixel_reduce": reduce}


def reduced_affine(reduce: int) -> Float[np.ndarray, "2 3"]:
    """Map half-open dicom coordinates to the reduced image: ``x' = (x + (2^r - 1)/2) / 2^r``.

    Sample ``i`` of the 5/3 low-pass band sits on pixel ``2^r i`` itself, not on the middle of the
    block that an area mean would cover. As pixel indices that is ``i = p / 2^r``; half-open edges
    add half a pixel on both sides.
    """
    scale = 2.0**-reduce
    shift = (1.0 - scale) / 2.0
    return np.array([[scale, 0.0, shift], [0.0, scale, shift]])
