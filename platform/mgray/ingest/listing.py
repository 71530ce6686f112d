"""The files of a catalog as they lie in the archive; labels stay where the catalog keeps them."""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import overload

from mgray.ingest.ledger import FileState, state_of
from mgray.ingest.pseudonym import Pseudonyms
from mgray.sources.source import CatalogRow
from mgray.sources.spool import Rows


class Files(Sequence[FileState]):
    """All files of a catalog, in the order of paths: about 300 bytes each, however many labels.

    Each file is looked at once, when this is made.

    Args:
        archive: Root of the paths.
        rows: Of the catalog.
        ids: Pseudonyms of the dataset.
    """

    def __init__(self, archive: Path, rows: Sequence[CatalogRow], ids: Pseudonyms) -> None:
        in_order = isinstance(rows, Rows)
        self._rows = rows if in_order else sorted(rows, key=attrgetter("path"))
        self._states: list[tuple[int, int]] = []
        self.ranks: dict[str, int] = {}
        """Place of every file, by pseudonym."""
        for row in self._rows:
            state = state_of(archive, row.path, {})
            self.ranks[ids.file(row.path)] = len(self._states)
            self._states.append((state.size, state.mtime_ns))

    def __len__(self) -> int:
        return len(self._states)

    @overload
    def __getitem__(self, at: int) -> FileState: ...
    @overload
    def __getitem__(self, at: slice) -> list[FileState]: ...
    def __getitem__(self, at: int | slice) -> FileState | list[FileState]:
        if isinstance(at, slice):
            return [self[number] for number in range(len(self))[at]]
        row = self._rows[at]
        return FileState(row.path, *self._states[at], row.labels)

    def get(self, file_id: str) -> FileState | None:
        """A file by its pseudonym, with its labels; ``None`` if the catalog lacks it."""
        at = self.ranks.get(file_id)
        return None if at is None else self[at]
