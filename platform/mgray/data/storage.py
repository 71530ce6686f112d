"""Where an image table lies: a local folder, or a folder of any pyarrow filesystem.

Local files are read by ``pread``. A read elsewhere is tried again when it fails, after a pause that
doubles; what is missing is not asked for twice.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar, runtime_checkable

from pyarrow import ArrowException, NativeFile
from pyarrow.fs import FileSelector, FileSystem, FileType

from mgray.errors import DataError, NotFoundError

__all__ = ["LocalFolder", "RemoteFolder", "Storage", "absolute", "open_storage", "shown"]

ATTEMPTS: Final = 5
PAUSE_S: Final = 0.2
"""Before the second attempt; 3 s over all attempts, beside what the filesystem itself waits."""
T = TypeVar("T")
_URI: Final = re.compile(r"^(?!file:)([a-z][a-z0-9+-]+):/{1,2}(?=[^/])", re.IGNORECASE)


@runtime_checkable
class Storage(Protocol):
    """Files below a folder."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file of a folder, by name; empty without such a folder."""

    def read(self, name: str) -> bytes:
        """Read a whole file.

        Raises:
            OSError: It cannot be read.
            DataError: The storage does not answer.
        """

    def read_at(self, name: str, offset: int, size: int) -> bytes:
        """Read a part of a file, less if it ends before; fails as ``read``."""


@dataclass(frozen=True)
class LocalFolder:
    """A folder of this machine."""

    path: Path

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file of a folder, by name; empty without such a folder."""
        files = (file for file in (self.path / folder).glob("*") if file.is_file())
        return {file.name: file.stat().st_size for file in files}

    def read(self, name: str) -> bytes:
        """Read a whole file."""
        return (self.path / name).read_bytes()

    def read_at(self, name: str, offset: int, size: int) -> bytes:
        """Read a part of a file, less if it ends before."""
        with (self.path / name).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of a pyarrow filesystem."""

    filesystem: FileSystem
    path: str

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file of a folder, by name; empty without such a folder."""
        where = FileSelector(f"{self.path}/{folder}", allow_not_found=True)
        found = self._tried(lambda: self.filesystem.get_file_info(where))
        return {file.base_name: file.size for file in found if file.type == FileType.File}

    def read(self, name: str) -> bytes:
        """Read a whole file."""
        return self._tried(partial(self._open, name, NativeFile.readall))

    def read_at(self, name: str, offset: int, size: int) -> bytes:
        """Read a part of a file, less if it ends before."""
        return self._tried(partial(self._open, name, lambda file: file.read_at(size, offset)))

    def _open(self, name: str, read: Callable[[NativeFile], bytes]) -> bytes:
        with self.filesystem.open_input_file(f"{self.path}/{name}") as file:
            return bytes(read(file))

    def _tried(self, work: Callable[[], T]) -> T:
        for attempt in range(ATTEMPTS):
            try:
                return work()
            except FileNotFoundError:
                raise
            except OSError as error:
                failed = error
            if attempt + 1 < ATTEMPTS:
                time.sleep(PAUSE_S * 2**attempt)
        raise DataError(
            f"storage {self.filesystem.type_name} failed {ATTEMPTS} times, expected an answer "
            f"({_said(failed)}): check network and credentials, then start the same command again"
        ) from failed


def open_storage(folder: Path | str, filesystem: FileSystem | None = None) -> Storage:
    """Tell how to read a folder.

    Args:
        folder: A local folder or a URI that pyarrow knows, like
            ``s3://bucket/table?endpoint_override=localhost:9000&scheme=http``; with a filesystem, a
            path in it.
        filesystem: Where the folder lies, if its name does not tell.

    Raises:
        NotFoundError: A URI that pyarrow does not know.
        DataError: A storage that does not answer when it is asked where it is.
    """
    name = _text(folder)
    if filesystem is not None:
        return RemoteFolder(filesystem, name.rstrip("/"))
    if not _URI.match(name):
        return LocalFolder(Path(folder))
    try:
        found, path = FileSystem.from_uri(name)
    except (ArrowException, ValueError) as error:
        raise NotFoundError(
            f"no filesystem for {shown(folder)!r}: expected a folder or a URI that pyarrow "
            "knows, like s3://bucket/table"
        ) from error
    except OSError as error:
        raise DataError(
            f"storage of {shown(folder)!r} did not answer ({_said(error)}): check its name, "
            "network, region and credentials"
        ) from error
    return RemoteFolder(found, path)


def absolute(folder: Path) -> Path:
    """Return a folder that means the same to every process; a URI does already."""
    return folder if _URI.match(str(folder)) else folder.resolve()


def shown(folder: Path | str) -> str:
    """Name a folder without what a URI may hold of credentials."""
    name = _text(folder)
    return re.sub(r"(?<=//).*@|\?.*", "", name) if _URI.match(name) else name


def _text(folder: Path | str) -> str:
    return _URI.sub(lambda found: f"{found[1].lower()}://", str(folder))  # Path drops a slash


def _said(error: OSError) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
