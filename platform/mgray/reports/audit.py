"""Do FFDM and SM of a pair show the breast alike? What the ingest measured, pair by pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from mgray.data.alignment import read_alignment
from mgray.data.pairs import Pair
from mgray.dicom.pixels import read_display, reduce_to


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


NO_AUDIT: Final = Audit(np.zeros(0), np.zeros(0), 0)


def audit_pairs(folder: Path, pairs: Sequence[Pair]) -> Audit:
    """Read breast-mask Dice and centroid offset of every pair given.

    Args:
        folder: Of the image table.
        pairs: Of it.

    Raises:
        DataError: The table's pairs are missing or damaged.
        SchemaError: They are of another table version.
    """
    table = read_alignment(folder)
    wanted = pa.array([pair.pair_key for pair in pairs], pa.string())
    found = table.filter(pc.is_in(table["pair_key"], wanted)).drop_null()
    dice, offset = (found[name].to_numpy() for name in ("dice", "centroid_offset"))
    return Audit(dice, offset, len(pairs) - len(found))


def small_copy(record: Mapping[str, Any], long_side: int) -> Float[np.ndarray, "height width"]:
    """Display values at the smallest size held whose long side is at least ``long_side``."""
    reduce = reduce_to(record["rows"], record["columns"], long_side)
    return read_display(record, max(reduce, record["pixel_reduce"]))
