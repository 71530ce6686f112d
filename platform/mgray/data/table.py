"""The image table: an index in memory, pixels by random access, every page's checksum verified.

Only a finished table is read: its ``manifest.json`` is written last and names every shard.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.errors import DataError, NotFoundError, SchemaError
from mgray.schema import IMAGE, check_version

PRIVATE: Final = ("extra_json",)  # never leave the table
INDEX_COLUMNS: Final = tuple(n for n in IMAGE.names if n not in ("pixels", *PRIVATE))
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class RowGroup:
    """Where a run of consecutive rows lies."""

    shard: int
    number: int
    first_row: int


@dataclass(frozen=True)
class ImageTable:
    """All images of an ingested archive; rows are numbered across the shards, in name order.

    Safe to use from several threads, and to pickle.
    """

    shards: tuple[Path, ...]
    index: pa.Table
    """Every column but pixels and the private ones."""
    footers: tuple[pq.FileMetaData, ...]
    row_groups: tuple[RowGroup, ...]
    first_rows: tuple[int, ...]
    """Of each row group."""

    @classmethod
    def open(cls, folder: Path) -> "ImageTable":
        """Read the index of ``folder/images/part-*.parquet``; no pixels yet.

        Raises:
            NotFoundError: No such folder, or no shards in it.
            SchemaError: Another table version, or a column is missing.
            DataError: An ingest that is not finished, or a damaged shard.
        """
        shards = tuple(sorted((folder / "images").glob("part-*.parquet")))
        if not shards:
            raise NotFoundError(
                f"no image table in {str(folder)!r}: give the out= folder of python -m jobs.ingest"
            )
        _check_finished(folder, shards)
        footers = tuple(_read_footer(shard) for shard in shards)
        index = pa.concat_tables(
            _read(shard, footer, None, INDEX_COLUMNS)
            for shard, footer in zip(shards, footers, strict=True)
        )
        row_groups = tuple(_row_groups(footers))
        first_rows = tuple(group.first_row for group in row_groups)
        return cls(shards, index, footers, row_groups, first_rows)

    def __len__(self) -> int:
        return int(self.index.num_rows)

    def records(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Read whole rows, pixels included, private columns left out.

        Each row group is read once, whatever the order of ``rows``.

        Args:
            rows: Row numbers; repeats are allowed.

        Returns:
            One dict a row, in the order of ``rows``.

        Raises:
            DataError: A damaged shard.
        """
        wanted: dict[int, set[int]] = defaultdict(set)
        for row in rows:
            wanted[bisect_right(self.first_rows, row) - 1].add(row)
        pixels: dict[int, bytes] = {}
        for group, members in wanted.items():
            pixels |= self._pixels(self.row_groups[group], members)
        return [{**self._columns(row), "pixels": pixels[row]} for row in rows]

    def _columns(self, row: int) -> dict[str, Any]:
        found: dict[str, Any] = self.index.slice(row, 1).to_pylist()[0]
        return found

    def _pixels(self, group: RowGroup, rows: set[int]) -> dict[int, bytes]:
        shard, footer = self.shards[group.shard], self.footers[group.shard]
        column = _read(shard, footer, group.number, ("pixels",)).column("pixels")
        return {row: column[row - group.first_row].as_py() for row in rows}


def _check_finished(folder: Path, shards: Sequence[Path]) -> None:
    """Refuse a part of a table, which would pass for a smaller one."""
    try:
        told = json.loads((folder / MANIFEST).read_text())["shards"]
        named = {shard["file"]: shard["bytes"] for shard in told}
    except (OSError, ValueError, TypeError, KeyError):
        raise DataError(
            f"the image table in {str(folder)!r} is not finished: no manifest.json says so; "
            "run the same python -m jobs.ingest again"
        ) from None
    found = {shard.name: shard.stat().st_size for shard in shards}
    other = sorted(name for name in named | found if named.get(name) != found.get(name))
    if other:
        raise DataError(
            f"the image table in {str(folder)!r} is not as its manifest says: {other[0]} is "
            "missing, cut short or not of it; run the same python -m jobs.ingest again"
        )


def _read_footer(shard: Path) -> pq.FileMetaData:
    try:
        footer = pq.read_metadata(shard)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(shard) from error
    schema = footer.schema.to_arrow_schema()
    check_version(schema, "image table")
    missing = [name for name in IMAGE.names if name not in schema.names]
    if missing:
        raise SchemaError(f"image table lacks the column {missing[0]!r}: ingest the archive again")
    return footer


def _read(
    shard: Path, footer: pq.FileMetaData, row_group: int | None, columns: Sequence[str]
) -> pa.Table:
    try:
        with pq.ParquetFile(shard, metadata=footer, page_checksum_verification=True) as file:
            if row_group is None:
                return file.read(columns=list(columns), use_threads=False)
            return file.read_row_group(row_group, columns=list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(shard) from error


def _damaged(shard: Path) -> DataError:
    return DataError(
        f"image table: shard {shard.name} is damaged or cut short:"
        " restore it, or delete this one file and run the same python -m jobs.ingest again"
    )


def _row_groups(footers: Sequence[pq.FileMetaData]) -> Iterator[RowGroup]:
    first_row = 0
    for shard, footer in enumerate(footers):
        for number in range(footer.num_row_groups):
            yield RowGroup(shard, number, first_row)
            first_row += footer.row_group(number).num_rows
