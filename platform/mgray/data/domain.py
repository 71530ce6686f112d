"""Whether an image lies where the training images lay: a few numbers against their ranges.

The rule: of each statistic, training stores the lowest and the highest value of a sample of its
images; an image is out of the training distribution if any of its own is more than a fifth outside.
"""

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np

from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.dicom.breast import MASK_SIDE, unpack_mask
from mgray.dicom.pixels import read_display, reduce_to, reduced_affine

Domain = Mapping[str, tuple[float, float]]
WIDENED: Final = 1.2
"""How much lower than the lowest, or higher than the highest, a value may be."""
SAMPLE: Final = 200
"""Images that are looked at, evenly spaced over the training split."""
LONG_SIDE: Final = 256
"""Pixels of the picture whose grey is measured, at least."""


def statistics(record: Mapping[str, Any]) -> dict[str, float]:
    """Measure one image; what its header or pixels do not tell is left out.

    Args:
        record: A row of the image table with its pixels, or what ``read_record`` gives.

    Returns:
        ``breast_grey`` (mean display value inside the breast, 0 to 1), ``pixel_spacing_mm``
        (between rows, at the detector) and ``breast_area_cm2``.
    """
    found = {}
    spacing = record["imager_pixel_spacing_mm"] or record["pixel_spacing_mm"] or []
    steps = spacing if len(spacing) == 2 and min(spacing) > 0 else []
    if steps:
        found["pixel_spacing_mm"] = float(steps[0])
    if record["breast_box"] and record["breast_mask"]:
        mask = unpack_mask(record["breast_mask"])
        found["breast_grey"] = _grey_inside(record, mask)
        if steps:
            x0, y0, x1, y1 = record["breast_box"]
            share = float(mask.mean()) * (x1 - x0) * (y1 - y0)
            found["breast_area_cm2"] = share * steps[0] * steps[1] / 100
    return found


def measure_domain(table: ImageTable, kind: str) -> dict[str, tuple[float, float]]:
    """Find the range of each statistic over training images.

    Args:
        table: The image table.
        kind: ``sm`` or ``ffdm``.
    """
    rows = [pair.rows[kind] for pair in build_pairs(table) if pair.split == "train"]
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(int))
    held: dict[str, list[float]] = {}
    for place in chosen:
        (record,) = table.records([rows[place]])
        for name, value in statistics(record).items():
            held.setdefault(name, []).append(value)
    return {name: (min(values), max(values)) for name, values in held.items()}


def outside(found: Mapping[str, float], domain: Domain) -> list[str]:
    """Name the statistics of an image that are out of the training distribution."""
    return [
        name
        for name, (low, high) in domain.items()
        if name in found and not low / WIDENED <= found[name] <= high * WIDENED
    ]


def _grey_inside(record: Mapping[str, Any], mask: np.ndarray) -> float:
    reduce = max(
        reduce_to(record["rows"], record["columns"], LONG_SIDE), int(record["pixel_reduce"])
    )
    shown = read_display(record, reduce)
    step, _, shift = reduced_affine(reduce)[0].tolist()
    x0, y0, x1, y1 = (round(edge * step + shift) for edge in record["breast_box"])
    part = np.ascontiguousarray(shown[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)])
    cells = cv2.resize(part, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
    return float(cells[mask].mean())
