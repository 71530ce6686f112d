"""A part of fixed size of a breast's crop, where it holds most of the breast."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

Box = tuple[float, float, float, float]
MOST_STARTS: Final = 128
"""Tried along an axis: twice as many as a mask has cells."""


def best_window(
    mask: Bool[np.ndarray, "cell_y cell_x"] | None, breast: Box, crop: Box, size: tuple[int, int]
) -> Box:
    """Find the part of a crop that holds most of the breast; of equal ones the most central.

    Args:
        mask: The breast, as cells of its box; if ``None`` the most central part is taken.
        breast: Box of ``mask``, dicom frame.
        crop: What the part is taken of, dicom frame; along an axis on which it is smaller than the
            part, all of it is.
        size: Height and width of the part, pixels of the dicom frame.

    Returns:
        The part, whole pixels away from the crop's corner.

    References:
        Complementary representations, "optimal centre": PAPERS.md P1-A10.
    """
    xs, ys = (_starts(crop[axis], crop[axis + 2], size[1 - axis]) for axis in (0, 1))
    height, width = min(float(size[0]), crop[3] - crop[1]), min(float(size[1]), crop[2] - crop[0])
    cells = np.ones((1, 1), bool) if mask is None else mask
    rows = _shares(ys, height, (breast[1], breast[3]), cells.shape[0])
    columns = _shares(xs, width, (breast[0], breast[2]), cells.shape[1])
    held = np.round(rows @ cells @ columns.T, 9)
    far_y, far_x = ((starts - (starts[0] + starts[-1]) / 2) ** 2 for starts in (ys, xs))
    far = np.where(held == held.max(), far_y[:, None] + far_x, np.inf)
    y, x = np.unravel_index(int(np.argmin(far)), far.shape)
    return float(xs[x]), float(ys[y]), float(xs[x]) + width, float(ys[y]) + height


def _starts(low: float, high: float, size: int) -> Float[np.ndarray, " start"]:
    """Where a part may begin along an axis."""
    spare = max(0, int(high - low) - size)
    return low + np.unique(np.linspace(0.0, spare, min(spare, MOST_STARTS) + 1).round())


def _shares(
    starts: Float[np.ndarray, " start"], size: float, box: tuple[float, float], cells: int
) -> Float[np.ndarray, "start cell"]:
    """How much of each of a box's cells lies in the part from each start on."""
    edges = np.linspace(*box, cells + 1)
    inside = np.minimum(edges[1:], (starts + size)[:, None]) - np.maximum(
        edges[:-1], starts[:, None]
    )
    return np.asarray(np.clip(inside / (edges[1] - edges[0]), 0.0, 1.0))
