"""The folder of a dataset as its host delivers it: find its tables, list its files, say what lacks.

Errors tell what was looked for, what was found and what the layout should be; what was found is
told in counts, since names of files may be a patient's.
"""

import os
import posixpath
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError, DataError, NotFoundError

SHOWN: Final = 6
MOST_OF_TEXT: Final = 16 * 2**20
"""Bytes of a small text of a dataset; the largest known has some thousands."""
SIDECAR: Final = "._"
"""How macOS begins the name of what it keeps beside a file on a foreign disk: no file of a host."""
LOST_AND_FOUND: Final = "lost+found"
"""At the root of many a filesystem, for its administrator's eyes."""
SUFFIXES: Final = frozenset({
    ".csv", ".dcm", ".dicom", ".gz", ".h5", ".ics", ".jpeg", ".jpg", ".json", ".ljpeg", ".loc",
    ".mhd", ".overlay", ".pgm", ".pkl", ".png", ".raw", ".tar", ".txt", ".xls", ".xlsx", ".xml",
    ".zip",
})  # fmt: skip
"""Those that are told; any other may be a part of a patient's name."""


def find_file(archive: Path, patterns: Sequence[str], layout: Sequence[str]) -> Path:
    """Find a table of a dataset: the first match of the first pattern that has one.

    Args:
        archive: Root of the dataset.
        patterns: Globs below it, the best first.
        layout: ``Description.layout``, for the message.

    Raises:
        NotFoundError: No match.
    """
    found = find_files(archive, patterns, layout)
    return found[0]


def find_files(archive: Path, patterns: Sequence[str], layout: Sequence[str]) -> list[Path]:
    """Find all matches of the first pattern that has any, in the order of names.

    Args:
        archive: Root of the dataset.
        patterns: Globs below it, the best first.
        layout: ``Description.layout``, for the message.

    Raises:
        NotFoundError: No match.
    """
    if not archive.is_dir():
        raise NotFoundError(f"no archive folder {str(archive)!r}: give archive=DIR")
    for pattern in patterns:
        found = sorted(path for path in archive.glob(pattern) if is_table(path))
        if found:
            return found
    raise NotFoundError(
        f"looked for {' or '.join(patterns)} below {str(archive)!r}, "
        f"found {_found(archive, patterns)}: expected {' | '.join(layout)}"
    )


def files_below(
    archive: Path, folders: Collection[str] = ("",), suffixes: Collection[str] = (".dcm",)
) -> Iterator[str]:
    """List files in no order, as paths below the archive with forward slashes.

    Linked folders are entered too, each folder once. Sidecars of macOS (``._*``) are not listed,
    nor what a repair of the filesystem left in ``lost+found``.

    Args:
        archive: Root of the dataset.
        folders: Where to look, below it; one that is not there holds nothing.
        suffixes: Ends of their names in lower case.

    Raises:
        DataError: A folder that cannot be listed.
    """
    ends = tuple(suffixes)
    for folder in folders:
        for place, names in _folders(archive / folder):
            below = Path(place).relative_to(archive).as_posix()
            prefix = "" if below == "." else f"{below}/"
            for name in names:
                if name.lower().endswith(ends) and not name.startswith(SIDECAR):
                    yield prefix + name


def _folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder once, with the names of its files; linked ones after all that are not."""
    waiting, seen = [root], set[tuple[int, int]]()
    for top in waiting:  # grows meanwhile
        for place, folders, names in os.walk(top, onerror=_refuse):
            folders[:] = [name for name in folders if name != LOST_AND_FOUND]
            told = Path(place).stat()
            if (told.st_dev, told.st_ino) in seen:
                folders.clear()
                continue
            seen.add((told.st_dev, told.st_ino))
            yield place, names
            inner = (Path(place) / name for name in sorted(folders))
            waiting += [folder for folder in inner if folder.is_symlink()]


def _refuse(error: OSError) -> None:
    """End a listing that would lack a folder's files; a folder that is not there has none."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise DataError(
            f"a folder of the archive cannot be listed ({os.strerror(error.errno or 0)}): its "
            "files would be lost; make it readable and run the same command again"
        ) from None


def spelled(path: str, is_here: Callable[[str], bool]) -> str:
    """Write a path's suffix in the case in which its file is here.

    Args:
        path: Below the archive, as a table names it.
        is_here: Tells whether there is such a file.

    Returns:
        The path as it is if no such file is here.
    """
    stem, suffix = posixpath.splitext(path)
    ways = dict.fromkeys((path, stem + suffix.lower(), stem + suffix.upper()))
    return next(filter(is_here, ways), path)


def by_name(
    paths: Iterable[str],
    name: Callable[[str], str | None],
    order: Callable[[str], Any] | None = None,
) -> tuple[dict[str, str], int]:
    """Find files by the name that a table gives them.

    Args:
        paths: Below the archive.
        name: Tells the name of a path; ``None`` if it is none of the table's files.
        order: Key by which paths are sorted; themselves if not given.

    Returns:
        Name to path, the first in that order where several have one name; and how many were passed
        over for that.
    """
    found: dict[str, str] = {}
    doubled = 0
    for path in sorted(paths, key=order):
        named = name(path)
        if named is not None:
            doubled += named in found
            found.setdefault(named, path)
    return found, doubled


def is_table(path: Path) -> bool:
    """Tell whether what lies at a path is a file, and none that macOS puts beside one."""
    return path.is_file() and not path.name.startswith(SIDECAR)


def _found(archive: Path, patterns: Sequence[str]) -> str:
    """Say what lies where a table should: in the first pattern's folder, if that is here."""
    folder = patterns[0].rpartition("/")[0]
    if folder and (archive / folder).is_dir():
        return f"{tell(archive / folder)} in {folder}/"
    return tell(archive)


def tell(folder: Path) -> str:
    """Say what lies in a folder, in counts by suffix."""
    kinds = Counter(map(_kind, folder.iterdir()))
    return ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(SHOWN)) or "nothing"


def read_text(path: Path, encoding: str = "latin-1") -> str:
    """Read a small text of a dataset.

    Raises:
        ConfigError: It is far larger than any of them.
    """
    with path.open("rb") as file:
        data = file.read(MOST_OF_TEXT + 1)
    if len(data) > MOST_OF_TEXT:
        raise ConfigError(
            f"a {_kind(path)} file has more than {MOST_OF_TEXT} bytes, which none of the dataset's "
            "has: get it again"
        )
    return data.decode(encoding)


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    return "folder" if path.is_dir() else suffix if suffix in SUFFIXES else "other"
