"""Polarity: is air darker than the breast as the image is shown?"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Integer

from mgray.dicom.grey import display_values

CORNER: Final = 1 / 10
"""Share of the sides that a corner has: more than a scanner's frame."""
LONG_SIDE: Final = 128
"""Pixels, or somewhat more, that are enough for medians."""
LEAST_RANGE: Final = 0.05
"""Of the display values, below which nothing is seen."""


def shown_as_negative(small: Float[np.ndarray, "height width"], columns: Mapping[str, Any]) -> bool:
    """Tell whether air is on the bright side of the image after all LUTs.

    Air lies in three corners or more, or the breast fills both of the chest wall: then air is what
    is flatter. Medians are held against Otsu's threshold between air and breast.

    Args:
        small: Stored values, shrunk.
        columns: Grey attributes of ``schema.IMAGE``.

    References:
        PS3.3 C.8.11.3 (0028,1041) Pixel Intensity Relationship Sign: not always true to the pixels.
    """
    import cv2

    every = max(1, max(small.shape) // LONG_SIDE)
    small = small[::every, ::every]
    shown = display_values(np.rint(small).astype(np.int32).ravel(), columns).reshape(small.shape)
    low, high = float(shown.min()), float(shown.max())
    if high - low < LEAST_RANGE:
        return False
    scaled = ((shown - low) / (high - low) * 255.0).astype(np.uint8)
    threshold, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    rows, cols = (max(1, round(CORNER * side)) for side in scaled.shape)
    edges = [(slice(size), slice(-size, None)) for size in (rows, cols)]
    corners = [scaled[y, x] for y in edges[0] for x in edges[1]]
    bright = [corner for corner in corners if np.median(corner) > threshold]
    dark = [corner for corner in corners if np.median(corner) <= threshold]
    if len(bright) != len(dark):
        return len(bright) > len(dark)
    return _unevenness(bright) < _unevenness(dark)


def _unevenness(corners: Sequence[Integer[np.ndarray, "rows columns"]]) -> float:
    """Return the mean interquartile range of the corners, each by itself."""
    lower, upper = np.percentile([corner.ravel() for corner in corners], (25, 75), axis=1)
    return float(np.mean(upper - lower))
