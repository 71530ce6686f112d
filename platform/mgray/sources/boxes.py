"""Boxes in an image: mirrored, clipped, inside the breast or not."""

from collections.abc import Mapping, Sequence
from typing import Any

from mgray.dicom.breast import MASK_SIDE, unpack_mask

Columns = Mapping[str, Any]
Flips = tuple[bool, bool]
"""Mirror left-right, mirror top-bottom."""


def flip_points(points: Sequence[float], flips: Flips, columns: Columns) -> list[float]:
    """Mirror half-open coordinates ``x, y, x, y ...`` in the image.

    Args:
        points: Any number of points.
        flips: Left-right, top-bottom.
        columns: Of the image.
    """
    width, height = float(columns["columns"]), float(columns["rows"])
    sizes = (width if flips[0] else None, height if flips[1] else None)
    return [
        point if (size := sizes[at % 2]) is None else size - point
        for at, point in enumerate(points)
    ]


def flip_box(box: Sequence[float], flips: Flips, columns: Columns) -> list[float]:
    """Mirror ``x0, y0, x1, y1``; corners stay in order if they were."""
    x0, y0, x1, y1 = flip_points(box, flips, columns)
    x0, x1 = (x1, x0) if flips[0] else (x0, x1)
    y0, y1 = (y1, y0) if flips[1] else (y0, y1)
    return [x0, y0, x1, y1]


def flip_annotation(one: Mapping[str, Any], flips: Flips, columns: Columns) -> Mapping[str, Any]:
    """Mirror a finding's box and outline."""
    if flips == (False, False):
        return one
    outline = one.get("outline")
    changes = {"outline": flip_points(outline, flips, columns)} if outline else {}
    return {**one, "coords": flip_box(one["coords"], flips, columns), **changes}


def clip(coords: Sequence[float], width: int, height: int) -> list[float] | None:
    """Cut a box at the image's edge.

    Args:
        coords: ``x0, y0, x1, y1``, dicom frame, half-open.
        width: Of the image, pixels.
        height: Of the image, pixels.

    Returns:
        The part inside the image; ``None`` if nothing is.
    """
    x0, y0, x1, y1 = coords
    cut = [max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))]
    return cut if cut[0] < cut[2] and cut[1] < cut[3] else None


def centre_inside(box: Sequence[float], columns: Columns) -> bool:
    """Tell whether a box's centre lies in the breast: in its mask, or its box if there is no mask.

    Args:
        box: ``x0, y0, x1, y1``, dicom frame.
        columns: Of the image.

    Returns:
        Also true where no breast was found.
    """
    breast = columns.get("breast_box")
    if not breast:
        return True
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    x0, y0, x1, y1 = breast
    if not (x0 <= x < x1 and y0 <= y < y1):
        return False
    if not columns.get("breast_mask"):
        return True
    column, row = (x - x0) / (x1 - x0) * MASK_SIDE, (y - y0) / (y1 - y0) * MASK_SIDE
    return bool(unpack_mask(columns["breast_mask"])[int(row), int(column)])
