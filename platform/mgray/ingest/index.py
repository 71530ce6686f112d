"""``index.parquet``: all rows of a table without their pixels, and where in which shard these lie.

A reader opens this one file instead of the footers of all shards, which are 4 kB an image. Whoever
writes a shard writes its piece of the index too, ``index/<shard>``, so that the finish of an ingest
only joins pieces; a piece that is missing, damaged or of another shard is made from its shard.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.data.table import INDEX_COLUMNS, INDEX_FILE, crc32, damaged, with_heads
from mgray.dicom.codecs import htj2k_heads
from mgray.errors import Rejected
from mgray.files import sha256_of, whole
from mgray.progress import Bar
from mgray.schema import HEADS, INDEX, PLACE

PIECES: Final = "index"
"""Folder of the pieces, beside the folder of the shards."""
OF_BYTES: Final = b"mgray_shard_bytes"
"""Size of the shard that a piece is of, in its schema."""
AT_ONCE: Final = 16
"""Shards of one row group of the index; held beside more, freed footers of 1 MB leave holes."""
THREADS: Final = 8
"""Shards that are read at once: storage may be slow to answer."""
HEADER: Final = 24
"""Bytes that hold the first four fields of a page's header."""
INDEX_ROWS: Final = pa.schema([INDEX.field(name) for name in (*INDEX_COLUMNS, *HEADS.names)])
"""The index without what only the shard can tell."""
I32: Final = 0x15
"""The next field of a Thrift struct, an integer."""


def write_index(out: Path, shards: Mapping[str, str]) -> str:
    """Write ``out/index.parquet`` from the shards.

    Args:
        out: Folder of the table.
        shards: Names in ``out/images``, in the order of the table's rows, and their SHA-256.

    Returns:
        The SHA-256 of its bytes.

    Raises:
        DataError: A damaged shard.
    """
    path = out / INDEX_FILE
    with whole(path) as draft, pq.ParquetWriter(draft, INDEX, compression="zstd") as writer:
        for rows in _read_pieces(out / "images", shards):
            writer.write_table(rows)
    return sha256_of(path)


def holds_index(out: Path, sha256: str | None) -> bool:
    """Tell whether the index is there and is the one of this hash."""
    try:
        return sha256 is not None and sha256_of(out / INDEX_FILE) == sha256
    except OSError:
        return False


def index_row(row: pa.Table) -> pa.Table:
    """Tell the index of one row of a shard, but not where it lies.

    Args:
        row: A table of one row of ``schema.IMAGE``.

    Returns:
        One of ``INDEX_ROWS``.

    Raises:
        Rejected: ``corrupt_pixels``.
    """
    pixels = memoryview(row["pixels"][0].as_buffer()).cast("B")  # signed, else
    ends, checksums = htj2k_heads(pixels), list[int]()
    for start, end in pairwise([0, *reversed(ends)]):
        checksums.insert(0, crc32(bytes(pixels[start:end]), *checksums[:1]))
    found = row.select(INDEX_COLUMNS)
    for field, told in zip(HEADS, (ends, checksums), strict=True):
        found = found.append_column(field, pa.array([told], field.type))
    return found


def write_piece(shard: Path, rows: Sequence[pa.Table]) -> None:
    """Write the piece of the index that tells of one shard.

    Args:
        shard: Written with one row group for each row.
        rows: Its rows, of ``index_row``.

    Raises:
        ValueError: A shard that was written otherwise.
    """
    schema = INDEX.with_metadata({**INDEX.metadata, OF_BYTES: _size_of(shard)})
    places = pa.Table.from_pylist(_places(shard), schema=PLACE)
    told = pa.concat_tables([INDEX_ROWS.empty_table(), *rows])
    columns = [(told if name in told.column_names else places)[name] for name in INDEX.names]
    piece = pa.table(columns, schema=schema).combine_chunks()  # else a chunk a row
    with whole(_piece_path(shard)) as draft:
        pq.write_table(piece, draft, compression="zstd", write_page_checksum=True)


def _read_pieces(images: Path, shards: Mapping[str, str]) -> Iterator[pa.Table]:
    with (
        Bar("index", len(shards), "shards") as bar,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        names = list(shards)
        for at in range(0, len(names), AT_ONCE):
            some = names[at : at + AT_ONCE]
            pieces = pool.map(partial(_read_piece, images), some, map(shards.get, some))
            yield pa.concat_tables(pieces).combine_chunks()
            bar.advance(len(some))


def _read_piece(images: Path, name: str, sha256: str) -> pa.Table:
    piece = _held_piece(images / name)
    if piece is None:
        _make_piece(images / name, sha256)
        piece = _held_piece(images / name)
    if piece is None:
        raise damaged(name)
    return piece


def _held_piece(shard: Path) -> pa.Table | None:
    """Read the piece of a shard, if it is whole and of this very shard."""
    try:
        piece = pq.read_table(
            _piece_path(shard), page_checksum_verification=True, use_threads=False
        )
        of = (piece.schema.metadata or {}).get(OF_BYTES)
        return with_heads(piece).cast(INDEX) if of == _size_of(shard) else None
    except (pa.ArrowException, OSError, ValueError):
        return None


def _make_piece(path: Path, sha256: str) -> None:
    try:
        if sha256_of(path) != sha256:
            raise ValueError("not as it was written")
        with pq.ParquetFile(path, page_checksum_verification=True) as shard:
            groups = range(shard.num_row_groups)
            rows = [index_row(shard.read_row_group(n, use_threads=False)) for n in groups]
        write_piece(path, rows)
    except (pa.ArrowException, OSError, ValueError, Rejected) as error:
        raise damaged(path.name) from error


def _piece_path(shard: Path) -> Path:
    return shard.parent.with_name(PIECES) / shard.name


def _size_of(shard: Path) -> bytes:
    return str(shard.stat().st_size).encode()


def _places(path: Path) -> list[dict[str, Any]]:
    """Where the pixels of each row of a shard lie, as rows of ``schema.PLACE``."""
    with pq.ParquetFile(path) as shard, path.open("rb") as raw:
        leaves = [shard.schema.column(at).path for at in range(len(shard.schema))]
        groups = map(shard.metadata.row_group, range(shard.num_row_groups))
        chunks = [group.column(leaves.index("pixels")) for group in groups]
        return [{"shard": path.name, **_place(chunk, raw)} for chunk in chunks]


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
