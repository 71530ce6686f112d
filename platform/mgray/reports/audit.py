"""Do FFDM and SM of a pair show the breast alike? Stage II fails silently where they do not.

Each breast is cut out by its own mask, mirrored so that it points right, and brought to one size,
as training does (P1-A11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import Bool, Float

from mgray.data.pairs import Pair
from mgray.data.table import ImageTable
from mgray.data.transforms import faces_left
from mgray.dicom.breast import breast_box, breast_mask
from mgray.dicom.pixels import read_display, reduce_to

SIZE: Final = 128
LONG_SIDE: Final = 300  # pixels of the small copy that the breast is looked for on
Mask = Bool[np.ndarray, "height width"]


@dataclass(frozen=True)
class Audit:
    """Alignment of each pair looked at.

    Attributes:
        dice: Overlap of the two breast masks, 0 to 1.
        offset: Distance of the masks' centroids, share of the side of the common frame.
        failed: Pairs in which no breast was found in one of the images.
    """

    dice: Float[np.ndarray, " pair"]
    offset: Float[np.ndarray, " pair"]
    failed: int


def audit_pairs(table: ImageTable, pairs: Sequence[Pair]) -> Audit:
    """Measure breast-mask Dice and centroid offset of every pair given."""
    dice, offset = [], []
    for pair in pairs:
        records = table.records([pair.rows["ffdm"], pair.rows["sm"]])
        a, b = (_breast(record) for record in records)
        if a is not None and b is not None:
            dice.append(2 * float((a & b).sum()) / float(a.sum() + b.sum()))
            offset.append(float(np.hypot(*(_centroid(a) - _centroid(b)))) / SIZE)
    return Audit(np.array(dice, float), np.array(offset, float), len(pairs) - len(dice))


def small_copy(record: Mapping[str, Any], long_side: int) -> Float[np.ndarray, "height width"]:
    """Display values at the smallest size held whose long side is at least ``long_side``."""
    reduce = reduce_to(record["rows"], record["columns"], long_side)
    return read_display(record, max(reduce, record["pixel_reduce"]))


def _breast(record: Mapping[str, Any]) -> Mask | None:
    image = small_copy(record, LONG_SIDE)
    mask = breast_mask(image)
    if mask is None:
        return None
    x0, y0, x1, y1 = breast_box(mask, *mask.shape)
    cut = mask[y0:y1, x0:x1].astype(np.uint8)
    if faces_left(record):
        cut = np.ascontiguousarray(cut[:, ::-1])
    return np.asarray(cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 0, dtype=bool)


def _centroid(mask: Mask) -> Float[np.ndarray, " 2"]:
    centroid: Float[np.ndarray, " 2"] = np.argwhere(mask).mean(axis=0)
    return centroid
