"""Which few rows of an image table tell whether a network can take all of it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64

from mgray.data.config import PreprocessConfig
from mgray.data.transforms import GEOMETRY_COLUMNS


def telling_rows(index: pa.Table, rows: Sequence[int], config: PreprocessConfig) -> pa.Table:
    """Pick the rows that ``check_record`` refuses first; other settings of an ingest hold for all.

    One of each kind of image, and of each stored size those with the smallest breasts, of which
    the network needs the largest size.

    Args:
        index: Of an image table.
        rows: Numbers of those that the network will see.
        config: Of the network's input.

    Returns:
        ``GEOMETRY_COLUMNS`` of these rows.
    """
    seen = np.unique(np.asarray(rows, np.int64))
    kinds, sizes = (index[name].to_numpy()[seen] for name in ("image_kind", "pixel_reduce"))
    height = _extent(index, 1)[seen] / config.net_height
    width = _extent(index, 0)[seen] / config.net_width
    chosen = {int(seen[np.flatnonzero(kinds == kind)[0]]) for kind in set(kinds)}
    for size in set(sizes.tolist()) - {0}:
        equal = np.flatnonzero(sizes == size)
        for extent in (height, width, np.maximum(height, width)):
            chosen.add(int(seen[equal[np.argmin(extent[equal])]]))
    return index.select(list(GEOMETRY_COLUMNS)).take(pa.array(sorted(chosen), pa.int64()))


def _extent(index: pa.Table, edge: int) -> Float64[np.ndarray, " row"]:
    """Height or width of the breasts, infinite where none was found."""
    low, high = (pc.list_element(index["breast_box"], edge + at) for at in (0, 2))
    return np.asarray(pc.fill_null(pc.subtract(high, low).cast(pa.float64()), np.inf))
