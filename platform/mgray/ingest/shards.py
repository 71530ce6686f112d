"""Shards of the image table: one row group per image, checksummed pages, pixels left as coded.

Why one image per row group: then a page holds one image, so that the index can name its bytes and
their checksum. A reader takes just these, at random or in order, and the size of row groups is
nothing to it; a writer holds one image at a time. Arrow, and whoever reads the shards with it,
reads and checks a row group's column whole. 192 values of 1.2 MB, checksums verified, medians of
five interleaved turns on two busy cores, "cold" with the page cache emptied before:

=====================  =====  =====  =====  =====
images per row group   1      4      16     64
=====================  =====  =====  =====  =====
random, cold, ms       3.7    9.9    38     88
random, warm, ms       1.2    5.6    30     84
streaming, cold, MB/s  303    286    161    177
streaming, warm, MB/s  287    338    588    628
footer, kB per image   4.3    1.1    0.3    0.1
=====================  =====  =====  =====  =====

Ranges of the cold rates overlap: 168 to 460 for 1, 95 to 339 for 64. Larger groups stream faster
only from memory, at the price of random reads. Nobody but the index's writer reads the footers.

Nothing is compressed: pages of one value would grow by it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.files import whole
from mgray.ingest.index import index_row, write_piece
from mgray.ingest.ledger import Entry
from mgray.ingest.vote import settled_frame
from mgray.schema import IMAGE, QUARANTINE

OPTIONS: Final[Mapping[str, Any]] = {
    "compression": "none",
    "use_dictionary": False,  # a dictionary of one value is waste
    "write_statistics": False,  # 67 minima and maxima per image would double the footer
    "write_page_checksum": True,
}
"""Of the Parquet writer."""
CROSS_ROW_FLAGS: Final = frozenset({"missing_partner", "ambiguous_pair"})


@contextmanager
def open_shard(path: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a shard under a temporary name, make it durable, rename it; write its piece, too.

    Gives what writes a row of ``schema.IMAGE``. It becomes a row group and goes to storage at once,
    so that a task holds one image at a time. A shard may have no rows.
    """
    with _open(path) as write:
        yield lambda row: write(_row_group(row))


def rewrite_shard(path: Path, entries: Iterable[Entry]) -> None:
    """Make a shard say what its entries say.

    Rows that became quarantine are dropped, flags of partners set, and boxes brought into the frame
    that the archive voted for. Pixels are copied as they are. Doing it twice does no harm.
    """
    keep = {entry.file_id: entry for entry in entries if entry.reason is None}
    with pq.ParquetFile(path, page_checksum_verification=True) as old, _open(path) as write:
        for group in range(old.num_row_groups):
            table = old.read_row_group(group)
            entry = keep.get(table["file_id"][0].as_py())
            if entry is not None:
                write(_settled(table, entry))


def write_quarantine(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write the refused files as one table of ``schema.QUARANTINE``."""
    table = pa.Table.from_pylist([dict(record) for record in records], schema=QUARANTINE)
    with whole(path) as draft:
        pq.write_table(table, draft, compression="zstd", write_page_checksum=True)


def holds_quarantine(path: Path, records: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a file is whole and holds just these refused files."""
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError):
        return False
    return bool(table.to_pylist() == [dict(record) for record in records])


@contextmanager
def _open(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    told: list[pa.Table] = []
    with whole(path) as draft, pq.ParquetWriter(draft, IMAGE, **OPTIONS) as writer:

        def write(row: pa.Table) -> None:
            writer.write_table(row)
            told.append(index_row(row))

        yield write
    write_piece(path, told)


def _row_group(row: Mapping[str, Any]) -> pa.Table:
    """Make a table of one row; its pixels are taken as they lie: a copy costs milliseconds."""
    pixels = pa.py_buffer(row["pixels"])
    ends = pa.array([0, pixels.size], pa.int64()).buffers()[1]
    column = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pixels])
    table = pa.Table.from_pylist([{**row, "pixels": b""}], schema=IMAGE)
    at = IMAGE.get_field_index("pixels")
    return table.set_column(at, IMAGE.field(at), column)


def _settled(table: pa.Table, entry: Entry) -> pa.Table:
    """A row group of one image as its entry says; columns but these stay as they are."""
    (row,) = table.select(["annotations", "qc_flags", "rows", "columns"]).to_pylist()
    changes = settled_frame(row, entry)
    flags = {*changes.get("qc_flags", row["qc_flags"])} - CROSS_ROW_FLAGS
    changes["qc_flags"] = sorted(flags | ({entry.partner} if entry.partner else set()))
    for name, value in changes.items():
        column = pa.array([value], IMAGE.field(name).type)
        table = table.set_column(IMAGE.get_field_index(name), IMAGE.field(name), column)
    return table.cast(IMAGE)
