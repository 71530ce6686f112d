"""Stored values to display values, in the standard's order.

Padding is found on stored values; then rescale, VOI LUT or window, one inversion, and padding is
set to black. Settings come as columns of the image table (``schema.IMAGE``).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer, Num

from mgray.errors import Rejected

VOI_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def check_grey(columns: Mapping[str, Any]) -> None:
    """Refuse settings that would make no number, one grey of all, or a window without width.

    Raises:
        Rejected: ``corrupt_header``.
    """
    for name in ("rescale_slope", "rescale_intercept", "window_center", "window_width", "voi_lut"):
        if not np.isfinite(np.atleast_1d(np.asarray(columns[name] or 0.0, dtype=float))).all():
            raise Rejected("corrupt_header", f"{name} is not finite")
    if columns["rescale_slope"] == 0:
        raise Rejected("corrupt_header", "rescale_slope is 0")
    if not _keeps_greys_apart(columns):
        raise Rejected("corrupt_header", "rescale_slope and rescale_intercept leave no greys apart")
    centers, widths = columns["window_center"] or [], columns["window_width"] or []
    if len(centers) != len(widths):
        raise Rejected("corrupt_header", "window_center and window_width differ in length")
    function = columns["voi_lut_function"] or "LINEAR"
    if function not in VOI_FUNCTIONS:
        raise Rejected("corrupt_header", "(0028,1056) VOI LUT Function is not a defined term")
    if widths and (widths[0] < 1 if function == "LINEAR" else widths[0] <= 0):
        raise Rejected(
            "corrupt_header", "(0028,1051) Window Width is too small: expected at least 1"
        )


def _keeps_greys_apart(columns: Mapping[str, Any]) -> bool:
    """Whether the ends of the stored values are two numbers still when rescaled."""
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = rescale(np.array(stored_range(columns)), columns)
        return bool(np.isfinite(high - low) and high != low)


def apply_grey(
    stored: Integer[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> Float[np.ndarray, "height width"]:
    """Turn stored values into display values: float32, 0 is black, 1 is white.

    Of several windows the first is used; a VOI LUT goes before windows. Without either, the whole
    range of ``bits_stored`` is shown.

    References:
        PS3.3 C.11.1 (rescale), C.11.2 (VOI LUT), C.11.6 (presentation LUT shape), C.7.5.1.1.2
        (padding).
    """
    check_grey(columns)
    low, high = int(stored.min()), int(stored.max())
    shown = display_values(np.arange(low, high + 1), columns).astype(np.float32)
    place = np.subtract(stored, low, dtype=np.intp)  # 16 bits would overflow
    return np.asarray(np.take(shown, place))


def display_values(
    values: Integer[np.ndarray, " value"], columns: Mapping[str, Any]
) -> Float[np.ndarray, " value"]:
    """Map each stored value to its display value, 0 to 1, float64."""
    shown = np.clip(voi(rescale(values, columns), columns), 0.0, 1.0)
    if is_inverted(columns):
        shown = 1.0 - shown
    return np.where(is_padding(values, columns), 0.0, shown)


def is_padding(
    values: Integer[np.ndarray, "*shape"], columns: Mapping[str, Any]
) -> Bool[np.ndarray, "*shape"]:
    """Tell which stored values lie outside the imaged area; none if the header names no padding."""
    value, limit = columns["pixel_padding_value"], columns["pixel_padding_range_limit"]
    if value is None:
        return np.zeros(values.shape, dtype=bool)
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((values >= low) & (values <= high))


def rescale(
    values: Num[np.ndarray, " value"], columns: Mapping[str, Any]
) -> Float[np.ndarray, " value"]:
    """Apply slope and intercept; identity where the header has none."""
    slope, intercept = columns["rescale_slope"], columns["rescale_intercept"]
    return np.asarray(values * (1.0 if slope is None else slope) + (intercept or 0.0))


def voi(
    values: Float[np.ndarray, " value"], columns: Mapping[str, Any]
) -> Float[np.ndarray, " value"]:
    """Map rescaled values to about 0..1, not clipped."""
    if columns["voi_lut"]:
        first, bits, *entries = columns["voi_lut"]
        index = np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.int64)
        return np.asarray(np.array(entries)[index] / (2.0**bits - 1.0))
    if columns["window_center"]:
        center, width = columns["window_center"][0], columns["window_width"][0]
        return _window(values, center, width, columns["voi_lut_function"] or "LINEAR")
    low, high = np.sort(rescale(np.array(stored_range(columns)), columns))
    return np.asarray((values - low) / (high - low))


def stored_range(columns: Mapping[str, Any]) -> tuple[int, int]:
    """Lowest and highest value that ``bits_stored`` can hold."""
    values = 2 ** int(columns["bits_stored"])
    low = -values // 2 if columns["pixel_representation"] else 0
    return low, low + values - 1


def pixel_range(columns: Mapping[str, Any]) -> tuple[int, int]:
    """Lowest and highest value of the pixels: ``stored_range``, unless ingest saw others.

    Those are beyond ``bits_stored`` and no more than ``bits_allocated`` holds.
    """
    if "values_over_bits_stored" not in columns["qc_flags"]:
        return stored_range(columns)
    return stored_range({**columns, "bits_stored": columns["bits_allocated"]})


def is_inverted(columns: Mapping[str, Any]) -> bool:
    """Whether low values are bright: MONOCHROME1 and shape INVERSE say the same thing, once."""
    photometric, shape = columns["photometric_interpretation"], columns["presentation_lut_shape"]
    return bool(photometric == "MONOCHROME1" or shape == "INVERSE")


def is_falling(columns: Mapping[str, Any]) -> bool:
    """Whether low stored values are bright."""
    return is_inverted(columns) != ((columns["rescale_slope"] or 1.0) < 0)


def _window(
    values: Float[np.ndarray, " value"], center: float, width: float, function: str
) -> Float[np.ndarray, " value"]:
    """PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT)."""
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -100.0, 100.0)))
    if function == "LINEAR_EXACT":
        return (values - center) / width + 0.5
    if width == 1:
        return np.asarray(values > center - 0.5, dtype=np.float64)
    return (values - (center - 0.5)) / (width - 1.0) + 0.5
