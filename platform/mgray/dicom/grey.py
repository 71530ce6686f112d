"""Stored values to display values, in the standard's order.

Padding is found on stored values; then rescale, VOI LUT or window, one inversion, and padding is set to black.
Settings come as columns of the image table (``schema.IMAGE``).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from mgray.errors import Rejected

VOI_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def check_grey(columns: Mapping[str, Any]) -> None:
    """Refuse settings that would make not-a-number, or a window without width.

    Raises:
        Rejected: ``corrupt_header``.
    """
    for name in ("rescale_slope", "rescale_intercept", "window_center", "window_width", "voi_lut"):
        if not np.isfinite(np.atleast_1d(np.asarray(columns[name] or 0.0, dtype=float))).all():
            raise Rejected("corrupt_header", f"{name} is not finite")
    if columns["rescale_slope"] == 0:
        raise Rejected("corrupt_header", "rescale_slope is 0")
    centers, widths = columns["window_center"] or [], columns["window_width"] or []
    if len(centers) != len(widths):
        raise Rejected("corrupt_header", "window_center and window_width differ in length")
    function = columns["voi_lut_function"] or "LINEAR"
    if function not in VOI_FUNCTIONS:
        raise Rejected("corrupt_header", "(0028,1056) VOI LUT Function is not a defined term")
    if widths and (widths[0] < 1 if function == "LINEAR" else widths[0] <= 0):
        raise Rejected("corrupt_header", f"window_width={widths[0]}: expected at least 1")


def apply_grey(
    stored: Int[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> Float[np.ndarray, "height width"]:
    """Turn stored values into display values: float32, 0 is black, 1 is white.

    Of several windows the first is used; a VOI LUT goes before windows. Without either, the whole range of
    ``bits_stored`` is shown.

    References:
        PS3.3 C.11.1 (rescale), C.11.2 (VOI LUT), C.11.6 (presentation LUT shape), C.7.5.1.1.2 (padding).
    """
    check_grey(columns)
    padding = padding_mask(stored, columns)
    shown = np.clip(voi(rescale(stored, columns), columns), 0.0, 1.0)
    if is_inverted(columns):
        shown = 1.0 - shown
    if padding is not None:
        shown[padding] = 0.0
    return shown.astype(np.float32)


def padding_mask(
    stored: Int[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> Bool[np.ndarray, "height width"] | None:
    """Find pixels outside the imaged area; None if the header names no padding value."""
    value, limit = columns["pixel_padding_value"], columns["pixel_padding_range_limit"]
    if value is None:
        return None
    low, high = sorted((value, value if limit is None else limit))
    return (stored >= low) & (stored <= high)


def rescale(
    stored: Int[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> Float[np.ndarray, "height width"]:
    """Apply slope and intercept, as float64; identity where the header has none."""
    slope, intercept = columns["rescale_slope"], columns["rescale_intercept"]
    return stored * (1.0 if slope is None else slope) + (0.0 if intercept is None else intercept)


def voi(
    values: Float[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> Float[np.ndarray, "height width"]:
    """Map rescaled values to about 0..1, not clipped."""
    if columns["voi_lut"]:
        first, bits, *entries = columns["voi_lut"]
        index = np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.int64)
        return np.asarray(entries, dtype=np.float64)[index] / (2.0**bits - 1.0)
    if not columns["window_center"]:
        low, high = sorted(rescale(np.array([stored_range(columns)]), columns)[0].tolist())
        return (values - low) / (high - low)
    return _window(values, columns)


def stored_range(columns: Mapping[str, Any]) -> tuple[int, int]:
    """Lowest and highest value that ``bits_stored`` can hold."""
    bits = columns["bits_stored"]
    return (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if columns["pixel_representation"]
        else (0, 2**bits - 1)
    )


def is_inverted(columns: Mapping[str, Any]) -> bool:
    """Whether low values are bright: MONOCHROME1 and shape INVERSE say the same thing, once."""
    return (
        columns["photometric_interpretation"] == "MONOCHROME1"
        or columns["presentation_lut_shape"] == "INVERSE"
    )


def _window(
    values: Float[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> Float[np.ndarray, "height width"]:
    """PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT)."""
    center, width = columns["window_center"][0], columns["window_width"][0]
    match columns["voi_lut_function"] or "LINEAR":
        case "SIGMOID":
            return 1.0 / (1.0 + np.exp(-4.0 * np.clip((values - center) / width, -100.0, 100.0)))
        case "LINEAR_EXACT":
            return (values - center) / width + 0.5
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return (values - (center - 0.5)) / (width - 1.0) + 0.5
