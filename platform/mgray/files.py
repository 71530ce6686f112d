"""Files that are whole or absent, files that are named by their bytes, folders with one writer."""

import errno
import fcntl
import hashlib
import os
import stat
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mgray.errors import DataError

TEMPORARY = ".tmp"
LOCK: Final = ".lock"


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Be the only one who writes into a folder; the lock dies with its holder, however it dies.

    It is an ``flock`` on ``folder/.lock``, so it reaches as far as the file system carries it: all
    processes of one machine, and all machines on NFS (Linux clients turn it into a lock of the
    server, which is freed when the lease of a dead client ends), CephFS, GPFS, and Lustre mounted
    with ``flock``. Mounts with ``nolock`` or ``local_lock=flock``, and most object stores mounted
    as folders, know only their own machine: there, start no two ingests into one folder. What the
    file system does not lock at all, or does not let anyone write, is not locked.

    Raises:
        DataError: Somebody else holds it.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        yield  # nothing can be written, so nothing needs a lock
        return
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; at the end make it durable and rename it.

    A reader, or a second writer of the same content, sees the whole file or none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
    try:
        yield draft
        _sync(draft)
        draft.replace(path)
        _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small file whole."""
    with whole(path) as draft:
        draft.write_text(text)


def sha256_of(path: Path) -> str:
    """Hash a file's bytes.

    Raises:
        OSError: It cannot be read, or is no plain file, which might never give an answer.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_within(path: Path, seconds: float) -> str | None:
    """Hash a file's bytes; ``None`` if they cannot be read or do not come in time.

    A storage that hangs may hold a reader for ever, kill or not: its thread is left behind.
    """
    found: list[str] = []

    def read() -> None:
        with suppress(OSError):
            found.append(sha256_of(path))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(seconds)
    return found[0] if found else None


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            "somebody else writes into this folder: wait until it ends, or give another out="
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK):
            raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
