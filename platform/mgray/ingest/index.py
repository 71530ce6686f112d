"""``index.parquet``: all rows of a table without their pixels, and where in which shard these lie.

A reader opens this one file instead of the footers of all shards, which are 4 kB an image. It is
made from the shards alone, so it can be made again whenever it is missing.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.data.table import INDEX_COLUMNS, INDEX_FILE, damaged
from mgray.ingest.files import sha256_of, whole
from mgray.progress import Bar
from mgray.schema import INDEX, PLACE

AT_ONCE: Final = 64
"""Shards of one row group of the index; held beside more, freed footers of 1 MB leave holes."""
THREADS: Final = 8
"""Shards that are read at once: storage may be slow to answer."""
HEADER: Final = 24
"""Bytes that hold the first four fields of a page's header."""
I32: Final = 0x15
"""The next field of a Thrift struct, an integer."""


def write_index(out: Path, shards: Sequence[str]) -> str:
    """Write ``out/index.parquet`` from the shards.

    Args:
        out: Folder of the table.
        shards: Names in ``out/images``, in the order of the table's rows.

    Returns:
        The SHA-256 of its bytes.

    Raises:
        DataError: A damaged shard.
    """
    path = out / INDEX_FILE
    with whole(path) as draft, pq.ParquetWriter(draft, INDEX, compression="zstd") as writer:
        for rows in _read_shards(out / "images", shards):
            writer.write_table(rows)
    return sha256_of(path)


def holds_index(out: Path, sha256: str | None) -> bool:
    """Tell whether the index is there and is the one of this hash."""
    try:
        return sha256 is not None and sha256_of(out / INDEX_FILE) == sha256
    except OSError:
        return False


def _read_shards(images: Path, shards: Sequence[str]) -> Iterator[pa.Table]:
    with (
        Bar("index", len(shards), "shards") as bar,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for at in range(0, len(shards), AT_ONCE):
            names = shards[at : at + AT_ONCE]
            yield pa.concat_tables(pool.map(partial(_read_shard, images), names))
            bar.advance(len(names))


def _read_shard(images: Path, name: str) -> pa.Table:
    path = images / name
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as shard, path.open("rb") as raw:
            rows = shard.read(columns=list(INDEX_COLUMNS), use_threads=False)
            leaves = [shard.schema.column(at).path for at in range(len(shard.schema))]
            groups = map(shard.metadata.row_group, range(shard.num_row_groups))
            chunks = [group.column(leaves.index("pixels")) for group in groups]
            places = [{"shard": name, **_place(chunk, raw)} for chunk in chunks]
        found = pa.Table.from_pylist(places, schema=PLACE)
        columns = [*rows.select(INDEX_COLUMNS).columns, *found.columns]
        return pa.table(columns, schema=INDEX).combine_chunks()  # else a chunk a row
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(name) from error


def _place(chunk: pq.ColumnChunkMetaData, raw: BinaryIO) -> dict[str, Any]:
    """Where the one value of a column chunk lies, and the checksum of its page.

    References:
        parquet-format: PageHeader (type, sizes, crc) in Thrift's compact protocol; PLAIN encoding.
    """
    start = chunk.data_page_offset
    kind, size, _, crc = _integers(os.pread(raw.fileno(), HEADER, start), 4)
    page = start + chunk.total_compressed_size - size
    length = int.from_bytes(os.pread(raw.fileno(), 4, page), "little")
    if (chunk.num_values, kind, length) != (1, 0, size - 4):
        raise ValueError("not a page of one value")
    return {"pixels_at": page + 4, "pixels_bytes": length, "pixels_crc32": crc % 2**32}


def _integers(data: bytes, count: int) -> Iterator[int]:
    """The first fields of a Thrift struct, all of them zigzag variable-length integers."""
    at = 0
    for _ in range(count):
        if data[at] != I32:
            raise ValueError("not a page with a checksum")
        number, shift, at = 0, 0, at + 1
        while data[at] & 0x80:
            number, shift, at = number | (data[at] & 0x7F) << shift, shift + 7, at + 1
        number, at = number | data[at] << shift, at + 1
        yield (number >> 1) ^ -(number & 1)
