"""What a catalog of millions of rows keeps on disk, so that memory does not grow with them.

A spool is a temporary SQLite database that goes with its object, wherever ``TMPDIR`` says; values
are plain data: texts, numbers, lists, tuples and dicts.
"""

import marshal  # its own bytes alone are read back
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Final, overload

from mgray.errors import DataError
from mgray.sources.source import CatalogRow

PAGE: Final = 16 * 1024
CACHE_KIB: Final = 16 * 1024
AT_ONCE: Final = 4096
"""Values that wait in memory for being written."""


class Spool:
    """Values by key, any number to a key, in the order in which they came."""

    def __init__(self) -> None:
        self._base = _database("CREATE TABLE held (key BLOB, value BLOB)")
        self._waiting: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._count, self._indexed = 0, False

    def add(self, key: str, value: Any) -> None:
        """Keep one more value of a key."""
        self._waiting[_bytes(key)].append(marshal.dumps(value))
        self._count += 1
        if self._count >= AT_ONCE:
            self._write()

    def get(self, key: str) -> list[Any]:
        """All values of a key."""
        self._index()
        name = _bytes(key)
        with _told():
            found = self._base.execute("SELECT value FROM held WHERE key = ?", (name,)).fetchall()
        waiting = self._waiting.get(name, ())
        return [marshal.loads(value) for value in chain((value for (value,) in found), waiting)]

    def groups(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield every key with its values, in the order of keys; add nothing meanwhile."""
        self._write()
        self._index()
        with _told():
            held = self._base.execute("SELECT key, value FROM held ORDER BY key, rowid")
            for key, values in groupby(held, itemgetter(0)):
                yield _text(key), [marshal.loads(value) for _, value in values]

    def repeated(self) -> Iterator[list[Any]]:
        """Yield the values of every key that has several; add nothing meanwhile."""
        self._write()
        self._index()
        with _told():
            many = self._base.execute("SELECT key FROM held GROUP BY key HAVING count(*) > 1")
            yield from (self.get(_text(key)) for (key,) in many)

    def drop(self, key: str) -> None:
        """Forget a key."""
        self._write()
        self._index()
        with _told():
            self._base.execute("DELETE FROM held WHERE key = ?", (_bytes(key),))

    def places(self) -> "array[int]":
        """For every key, in their order, a number that ``key_at`` takes: 8 bytes."""
        self._write()
        self._index()
        with _told():
            held = self._base.execute("SELECT min(rowid) FROM held GROUP BY key")
            return array("q", (place for (place,) in held))

    def key_at(self, place: int) -> str:
        """The key of one of ``places``."""
        with _told():
            held = self._base.execute("SELECT key FROM held WHERE rowid = ?", (place,))
            return _text(held.fetchone()[0])

    def _index(self) -> None:
        if not self._indexed:  # once, after most values have come, is faster than one by one
            with _told():
                self._base.execute("CREATE INDEX by_key ON held (key)")
            self._indexed = True

    def _write(self) -> None:
        told = ((key, value) for key, values in self._waiting.items() for value in values)
        with _told():
            self._base.executemany("INSERT INTO held VALUES (?, ?)", told)
        self._waiting.clear()
        self._count = 0


class Rows(Sequence[CatalogRow]):
    """Rows of a catalog, made of what is spooled whenever they are asked for.

    Args:
        held: By path; it must not change any more.
        labels: Makes the labels of a row of all values of its path.
    """

    def __init__(self, held: Spool, labels: Callable[[list[Any]], Mapping[str, Any]]) -> None:
        self._held, self._labels = held, labels
        self._places = held.places()

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> CatalogRow: ...
    @overload
    def __getitem__(self, at: slice) -> list[CatalogRow]: ...
    def __getitem__(self, at: int | slice) -> CatalogRow | list[CatalogRow]:
        if isinstance(at, slice):
            return [self[number] for number in range(len(self))[at]]
        path = self._held.key_at(self._places[at])
        return CatalogRow(path, self._labels(self._held.get(path)))

    def __iter__(self) -> Iterator[CatalogRow]:
        return (CatalogRow(path, self._labels(said)) for path, said in self._held.groups())


def _database(table: str) -> sqlite3.Connection:
    with _told():
        base = sqlite3.connect("", isolation_level=None)  # no name: gone when it is closed
        base.execute(f"PRAGMA page_size = {PAGE}")
        base.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        base.execute("PRAGMA journal_mode = OFF")
        base.execute(table)
        base.execute("BEGIN")
    return base


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error:
        raise DataError(
            "the catalog's temporary database cannot be written or read: is the temporary folder "
            "full? name a larger one with TMPDIR"
        ) from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # names of files may be no UTF-8


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
