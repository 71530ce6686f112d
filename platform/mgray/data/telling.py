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

    One of each kind of image, and of each stored size those of which the network sees the smallest
    part: it needs the largest size of them.

    Args:
        index: Of an image table.
        rows: Numbers of those that the network will see.
        config: Of the network's input.

    Returns:
        ``GEOMETRY_COLUMNS`` of these rows.
    """
    seen = np.unique(np.asarray(rows, np.int64))
    kinds, sizes = (index[name].to_numpy()[seen] for name in ("image_kind", "pixel_reduce"))
    width, height = (extent[seen] for extent in _crop_size(index, config))
    height, width = height / config.net_height, width / config.net_width
    chosen = {int(seen[np.flatnonzero(kinds == kind)[0]]) for kind in set(kinds)}
    for size in set(sizes.tolist()) - {0}:
        equal = np.flatnonzero(sizes == size)
        for extent in (height, width, np.maximum(height, width)):
            chosen.add(int(seen[equal[np.argmin(extent[equal])]]))
    return index.select(list(GEOMETRY_COLUMNS)).take(pa.array(sorted(chosen), pa.int64()))


def _crop_size(index: pa.Table, config: PreprocessConfig) -> list[Float64[np.ndarray, " row"]]:
    """Width and height of what ``prepare`` shows of each image: the breast and a rim around it."""
    edges = [index[name].cast(pa.float64()) for name in ("columns", "rows")]
    ends = [pc.list_element(index["breast_box"], at).cast(pa.float64()) for at in range(4)]
    lows = [pc.fill_null(low, 0.0).to_numpy() for low in ends[:2]]
    highs = [pc.coalesce(*both).to_numpy() for both in zip(ends[2:], edges, strict=True)]
    sides = np.maximum(highs[0] - lows[0], highs[1] - lows[1])
    rim = config.margin * sides if config.margin_px is None else config.margin_px
    return [
        np.minimum(high + rim, edge.to_numpy()) - np.maximum(low - rim, 0)
        for low, high, edge in zip(lows, highs, edges, strict=True)
    ]
