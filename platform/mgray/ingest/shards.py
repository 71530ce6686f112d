"""Shards of the image table: one row group per image, checksummed pages, pixels left as coded.

Why one image per row group: Parquet reads, checks and copies a row group's column whole, and a
balanced epoch touches 0.16 % of the images, one here and one there. 384 lossless images of 4 Mpx
(1.2 MB each as HTJ2K) on two busy cores, checksums verified, best of three:

=====================  ======  ======  ======  ======
images per row group   1       4       16      64
=====================  ======  ======  ======  ======
random image, ms       0.9     2.6     17      58
bytes read, MB         1.2     4.9     20      79
streaming, MB/s        1417    457     385     181
footer, kB per image   4.3     1.1     0.3     0.1
opening, ms per 1000   160     35      11      4
=====================  ======  ======  ======  ======

Larger groups do not even stream faster: an image at a time stays in the processor's cache. What
they save is footer, 0.4 % of such a table and less of larger images.

The columns but ``pixels`` are zstd.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.ingest.files import whole
from mgray.ingest.ledger import Entry
from mgray.schema import IMAGE, QUARANTINE

CROSS_ROW_FLAGS: Final = frozenset({"missing_partner", "ambiguous_pair"})


@contextmanager
def open_shard(path: Path) -> Iterator[pq.ParquetWriter]:
    """Write a shard under a temporary name, make it durable, rename it.

    Every table written is one row group and goes to storage at once, so that a task holds one image
    at a time. A shard may have no rows.
    """
    with whole(path) as draft, pq.ParquetWriter(draft, IMAGE, **_options()) as writer:
        yield writer


def row_group(row: Mapping[str, Any]) -> pa.Table:
    """Make the row group of one image from a row of ``schema.IMAGE``."""
    return pa.Table.from_pylist([dict(row)], schema=IMAGE)


def rewrite_shard(path: Path, entries: Iterable[Entry]) -> None:
    """Make a shard say what its entries say: drop rows that became quarantine, set partner flags.

    Pixels are copied as they are. Doing it twice does no harm.
    """
    keep = {entry.file_id: entry for entry in entries if entry.reason is None}
    with pq.ParquetFile(path, page_checksum_verification=True) as old, open_shard(path) as new:
        for group in range(old.num_row_groups):
            table = old.read_row_group(group)
            entry = keep.get(table["file_id"][0].as_py())
            if entry is not None:
                new.write_table(_with_partner_flag(table, entry.partner))


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


def _with_partner_flag(table: pa.Table, flag: str | None) -> pa.Table:
    flags = set(table["qc_flags"][0].as_py()) - CROSS_ROW_FLAGS | ({flag} if flag else set())
    at = table.schema.get_field_index("qc_flags")
    column = pa.array([sorted(flags)], IMAGE.field("qc_flags").type)
    return table.set_column(at, IMAGE.field("qc_flags"), column).cast(IMAGE)


@cache
def _options() -> dict[str, Any]:
    """Options of the Parquet writer; compression is set by leaf, and a leaf left out gets none."""
    sink = pa.BufferOutputStream()
    pq.write_table(IMAGE.empty_table(), sink)
    leaves = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    paths = [leaves.column(at).path for at in range(len(leaves))]
    return {
        "compression": {path: "none" if path == "pixels" else "zstd" for path in paths},
        "use_dictionary": False,  # a dictionary of one value is waste
        "write_statistics": False,  # 67 minima and maxima per image would double the footer
        "write_page_checksum": True,
    }
