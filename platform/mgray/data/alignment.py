"""Do FFDM and SM of a pair show the breast alike? Stage II fails silently where they do not.

Each breast's mask is cut to its box, mirrored so that it touches the left edge and brought to one
size, as training does by default (P1-A11). An ingest measures every pair and keeps it beside the
table: ``schema.PAIR`` in ``pairs.parquet``.
"""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float

from mgray.data.storage import open_storage, shown
from mgray.errors import DataError
from mgray.schema import PAIR, check_version

FILE: Final = "pairs.parquet"
MISALIGNED: Final = 0.95
"""Dice below which a pair is worth a look. 160 pairs of phantoms had 0.997 or more; the CC of one
breast on the MLO of another 0.955 in the median, a breast on its mirror image 0.80 or less."""
Masks = Bool[np.ndarray, "pair height width"]


def measure(
    ffdm: Masks, sm: Masks
) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
    """Measure pairs of masks in one frame; none may be empty.

    Returns:
        Dice, 0 to 1, and the distance of the centroids, share of the frame's side.
    """
    areas, centroids = zip(*map(_moments, (ffdm, sm)), strict=True)
    both = np.count_nonzero((ffdm & sm).reshape(len(ffdm), -1), axis=1)
    return 2.0 * both / sum(areas), np.linalg.norm(centroids[0] - centroids[1], axis=1)


def read_alignment(folder: Path) -> pa.Table:
    """Read the pairs of a table as ``schema.PAIR``.

    Args:
        folder: Of the image table, local or a URI.

    Raises:
        DataError: They are missing or damaged.
        SchemaError: Of another table version.
    """
    try:
        content = pa.BufferReader(open_storage(folder).read(FILE))
        table = pq.read_table(content, page_checksum_verification=True)
    except (pa.ArrowException, OSError):
        raise DataError(
            f"{FILE} of the image table in {shown(folder)!r} is missing or damaged: "
            "run the same python -m jobs.ingest again"
        ) from None
    check_version(table.schema, FILE)
    return table.cast(PAIR)


def _moments(masks: Masks) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, "pair 2"]]:
    """Area of each mask, cells, and row and column of its centroid, shares of height and width."""
    _, height, width = masks.shape
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    weights = np.stack([np.ones(height * width), rows + 0.5, columns + 0.5])
    cells = masks.reshape(len(masks), -1).astype(np.float32)  # whose sums are exact
    sums = np.einsum("pc,wc->pw", cells, weights.astype(np.float32))  # without BLAS's threads
    area = sums[:, 0].astype(np.float64)
    return area, sums[:, 1:] / area[:, None] / [height, width]
