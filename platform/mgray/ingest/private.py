"""The owner's side table of file names: off by default, and the only place that holds a path."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mgray.files import whole
from mgray.ingest.pseudonym import Pseudonyms
from mgray.schema import PATHS

FOLDER: Final = "private"
FILE: Final = "paths.parquet"


def write_paths(out: Path, paths: Iterable[str], ids: Pseudonyms) -> None:
    """Write which pseudonym is which file as ``schema.PATHS``, readable by its owner alone.

    A table that says so already is left as it is. A later run that does not ask for it leaves it
    too: delete the folder ``private`` to be rid of it.

    Args:
        out: Folder of the image table.
        paths: Below the archive's root, forward slashes.
        ids: Pseudonyms of the dataset.
    """
    names = sorted((ids.file(path), os.fsencode(path).decode("utf-8", "replace")) for path in paths)
    columns = [[name[at] for name in names] for at in range(2)]
    table = pa.table([pa.array(column, pa.string()) for column in columns], schema=PATHS)
    path = out / FOLDER / FILE
    if path.is_file() and _holds(path, table):
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole(path) as draft:
        draft.touch(mode=0o600)
        pq.write_table(table, draft, compression="zstd", write_page_checksum=True)


def _holds(path: Path, table: pa.Table) -> bool:
    try:
        return bool(pq.read_table(path, page_checksum_verification=True).equals(table))
    except (pa.ArrowException, OSError):
        return False
