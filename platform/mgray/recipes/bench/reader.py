"""Random reads from the image table at one size, against the bare codec on bytes in memory."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from mgray.data.table import ImageTable
from mgray.dicom.pixels import STORED_COLUMNS, read_stored, reduce_to
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured

LONG_SIDE: Final = 1024
"""Pixels that the reader asks for at least."""
LEAST: Final = 0.9
"""Goal: share of the bare rate."""
LEAST_READS: Final = 192
"""Reads in a turn."""
READ: Final = (*STORED_COLUMNS, "rows", "columns")


def measure_reader(config: BenchConfig, tables: Sequence[Path]) -> Measured:
    """Read the images of each table in random order, ``config.workers`` threads on both sides.

    Args:
        config: How often.
        tables: Folders; each image of a small one is read several times in a turn.
    """
    return Measured([_measured(config, ImageTable.open(folder)) for folder in tables])


def _measured(config: BenchConfig, table: ImageTable) -> Comparison:
    rows = list(range(len(table))) * -(-LEAST_READS // len(table))
    random.Random(config.seed).shuffle(rows)
    records = table.records(rows)
    ours, bare = [], []
    for _ in track(range(config.repeats), "time reader", config.repeats, "turns"):
        ours.append(rate(partial(read_row, table), rows, config.workers))
        bare.append(rate(decode_bare, records, config.workers))
    what = f"read {max(table.index['rows'].to_pylist())}-row images at {LONG_SIDE} px and more"
    return Comparison(what, "images/s", ours, bare, is_rate=True, most_times=1 / LEAST)


def rate(work: Callable[[Any], object], items: Sequence[Any], threads: int) -> float:
    """Items a second."""
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        for _ in pool.map(work, items):
            pass
        return len(items) / (time.perf_counter() - start)


def read_row(table: ImageTable, row: int) -> object:
    """Read the stored values of one row as the reader does, at the size asked for."""
    (record,) = table.records([row], READ, _reduce)
    return read_stored(record, _reduce(record))


def decode_bare(record: Mapping[str, Any]) -> object:
    """Call the codec alone, at the same size."""
    import imagecodecs

    return imagecodecs.htj2k_decode(record["pixels"], skipres=_reduce(record))


def _reduce(record: Mapping[str, Any]) -> int:
    return reduce_to(record["rows"], record["columns"], LONG_SIDE)
