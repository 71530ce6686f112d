"""The image table: an index in memory, pixels by random access, every checksum verified.

Only a finished table is read: its ``manifest.json`` is written last, names every shard and tells
the hash of ``index.parquet``, which holds all columns but the pixels, and where in which shard
these lie. So opening reads one file, and an image is one read of just its bytes; a smaller size, of
just the first of them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import imagecodecs
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem

from mgray.data.storage import Storage, open_storage, shown
from mgray.errors import DataError, NotFoundError, SchemaError
from mgray.heap import keep_freed_memory
from mgray.schema import HEADS, INDEX, PLACE, check_version

PLACES: Final = (*PLACE.names, *HEADS.names)
INDEX_COLUMNS: Final = tuple(name for name in INDEX.names if name not in PLACES)
MANIFEST: Final = "manifest.json"
INDEX_FILE: Final = "index.parquet"
IMAGES: Final = "images"


@dataclass(frozen=True)
class ImageTable:
    """All images of an ingested archive; rows are numbered across the shards, in name order.

    Safe to use from several threads, and to pickle.
    """

    storage: Storage
    """Where its files lie."""
    index: pa.Table
    """Every column but pixels and the private ones."""
    places: pa.Table
    """Where the pixels of each row lie, ``schema.PLACE`` and ``schema.HEADS``."""

    @classmethod
    def open(cls, folder: Path | str, filesystem: FileSystem | None = None) -> "ImageTable":
        """Read ``folder/index.parquet``; no pixels yet.

        Args:
            folder: Local, or a URI as in ``storage.open_storage``.
            filesystem: Where the folder lies, if its name does not tell.

        Raises:
            NotFoundError: No such folder, or no shards in it.
            SchemaError: Another table version, or a column is missing.
            DataError: An ingest that is not finished, or a file that is not as it was written.
        """
        storage, where = open_storage(folder, filesystem), shown(folder)
        shards = {
            name: size
            for name, size in storage.sizes(IMAGES).items()
            if name.startswith("part-") and name.endswith(".parquet")
        }
        if not shards:
            raise NotFoundError(
                f"no image table in {where!r}: give the out= folder of python -m jobs.ingest"
            )
        manifest = _read_manifest(storage, where, shards)
        found = _read_index(storage, where, manifest)
        keep_freed_memory()
        return cls(storage, found.select(INDEX_COLUMNS), found.select(PLACES))

    def __len__(self) -> int:
        return int(self.index.num_rows)

    def records(
        self,
        rows: Sequence[int],
        columns: Sequence[str] = INDEX_COLUMNS,
        reduce: Callable[[Mapping[str, Any]], int] | None = None,
    ) -> list[dict[str, Any]]:
        """Read rows with their pixels.

        Args:
            rows: Row numbers; repeats are allowed, and read once.
            columns: Those to read beside the pixels, all but the private ones by default: a dozen
                is read in a fifth of the time.
            reduce: Tells from a row's columns, ``pixel_reduce`` among them, how many wavelet levels
                will be left out. Then only what this size needs is read: of a real mammogram some
                quarter of the bytes for half its size, a sixteenth for a quarter.

        Returns:
            One dict a row, in the order of ``rows``; where less was read, ``pixels`` cannot be
            decoded to a larger size.

        Raises:
            IndexError: No such row.
            DataError: A damaged shard, or one that cannot be read.
        """
        found = {}
        for row in set(rows):
            facts = self.facts(row, columns)
            spared = reduce(facts) - facts["pixel_reduce"] if reduce else 0
            found[row] = {**facts, "pixels": self._pixels(row, spared)}
        return [dict(found[row]) for row in rows]

    def facts(self, row: int, columns: Sequence[str] = INDEX_COLUMNS) -> dict[str, Any]:
        """Tell what the index knows of a row; nothing is read.

        Raises:
            IndexError: No such row.
        """
        return _row(self.index.select(list(columns)), row)

    def _pixels(self, row: int, spared: int) -> bytes:
        """Read a codestream, or as much of it as is needed without so many wavelet levels."""
        place = _row(self.places, row)
        name = f"{IMAGES}/{place['shard']}"
        head = min(spared, len(place["head_bytes"] or ())) - 1
        size = place["head_bytes"][head] if head >= 0 else place["pixels_bytes"]
        try:
            pixels = self.storage.read_at(name, place["pixels_at"], size)
        except FileNotFoundError as error:
            raise damaged(place["shard"]) from error
        except OSError as error:
            raise DataError(
                f"image table: shard {place['shard']} cannot be read ({error.strerror}): "
                "check the storage, then start the same command again"
            ) from error
        if head >= 0:
            is_whole = crc32(pixels) == place["head_crc32"][head]
        else:
            is_whole = page_crc32(pixels) == place["pixels_crc32"]
        if not is_whole:
            raise damaged(place["shard"])
        return pixels


def read_content(data: Path) -> str:
    """Read the hash of an image table's rows from its manifest, whatever shards they lie in.

    Raises:
        DataError: No manifest, or one without the hash.
    """
    try:
        return str(json.loads(open_storage(data).read(MANIFEST))["content_sha256"])
    except (OSError, ValueError, TypeError, KeyError):
        raise DataError(
            f"{MANIFEST} in {shown(data)!r} is missing or names no content_sha256: run the same "
            "python -m jobs.ingest again"
        ) from None


def page_crc32(value: bytes) -> int:
    """Checksum of a Parquet data page that holds one value of bytes: its length, then itself.

    References:
        parquet-format: PLAIN encoding, and ``crc`` of the page header.
    """
    return crc32(value, crc32(len(value).to_bytes(4, "little")))


def crc32(value: bytes, before: int = 0) -> int:
    """Checksum of bytes that follow those of another checksum; ten times as fast as zlib's."""
    return int(imagecodecs.deflate_crc32(value, before))


def with_heads(rows: pa.Table) -> pa.Table:
    """Add the columns of ``schema.HEADS``, all null, to rows of an index that has none."""
    for field in HEADS:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows


def damaged(shard: str) -> DataError:
    """The error for a shard that is not as it was written."""
    return DataError(
        f"image table: shard {shard} is damaged or cut short:"
        " restore it, or delete this one file and run the same python -m jobs.ingest again"
    )


def _row(table: pa.Table, row: int) -> dict[str, Any]:
    if not 0 <= row < table.num_rows:
        raise IndexError(f"row {row}: the image table has rows 0 to {table.num_rows - 1}")
    columns = zip(table.column_names, table.columns, strict=True)
    return {name: column[row].as_py() for name, column in columns}  # sooner than to_pylist


def _read_manifest(storage: Storage, where: str, found: dict[str, int]) -> dict[str, Any]:
    """Read it, and refuse a part of a table, which would pass for a smaller one."""
    try:
        manifest: dict[str, Any] = json.loads(storage.read(MANIFEST))
        named = {shard["file"]: shard["bytes"] for shard in manifest["shards"]}
    except (OSError, ValueError, TypeError, KeyError):
        raise DataError(
            f"the image table in {where!r} is not finished: no manifest.json says so; "
            "run the same python -m jobs.ingest again"
        ) from None
    other = sorted(name for name in named | found if named.get(name) != found.get(name))
    if other:
        raise DataError(
            f"the image table in {where!r} is not as its manifest says: {other[0]} is "
            "missing, cut short or not of it; run the same python -m jobs.ingest again"
        )
    return manifest


def _read_index(storage: Storage, where: str, manifest: dict[str, Any]) -> pa.Table:
    told = manifest["index"] if isinstance(manifest.get("index"), dict) else {}
    try:
        content = storage.read(INDEX_FILE)
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != told.get("sha256"):
        raise DataError(
            f"the image table in {where!r} has no {INDEX_FILE}, or one that its manifest "
            "does not know; run the same python -m jobs.ingest again"
        )
    schema = pq.read_schema(pa.BufferReader(content))
    check_version(schema, "image table")
    missing = [name for name in INDEX.names if name not in (*schema.names, *HEADS.names)]
    if missing:
        raise SchemaError(f"image table lacks the column {missing[0]!r}: ingest the archive again")
    with pq.ParquetFile(pa.BufferReader(content), read_dictionary=["shard"]) as file:
        return with_heads(file.read())
