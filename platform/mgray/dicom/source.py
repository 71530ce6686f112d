"""A file's bytes, read whole or on demand: both give bytes when sliced."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mgray.dicom.limits import Limits
from mgray.errors import Rejected

WHOLE_BYTES: Final = 64 * 2**20
"""Files up to this size are read at once: every single mammogram, few volumes."""
CHUNK: Final = 2**20


class FileBytes:
    """An open file whose slices are read when they are asked for.

    Not a memory map: a file that shrinks meanwhile gives short slices, not a signal.

    Args:
        descriptor: Of the open file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._size = descriptor, os.fstat(descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(self._size)
        try:
            return os.pread(self._descriptor, max(0, stop - start), start)
        except OSError as error:
            raise Rejected("unreadable", type(error).__name__) from None


Bytes = bytes | FileBytes
"""Give bytes when sliced, and their number."""


@contextmanager
def opened(source: Path | bytes, limits: Limits, whole_bytes: int = WHOLE_BYTES) -> Iterator[Bytes]:
    """Give the bytes of a file within the limits.

    Args:
        source: A file or its bytes.
        limits: Its size is checked.
        whole_bytes: Files up to this size are read at once, others on demand.

    Raises:
        Rejected: ``unreadable`` or ``too_large``.
    """
    if isinstance(source, bytes):
        yield source
        return
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Rejected("unreadable", type(error).__name__) from None
    try:
        yield _bytes(descriptor, limits, whole_bytes)
    finally:
        os.close(descriptor)


def sha256(data: Bytes) -> str:
    """Hash all bytes, a part at a time where they are read on demand."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    found = hashlib.sha256()
    for start in range(0, len(data), CHUNK):
        found.update(data[start : start + CHUNK])
    return found.hexdigest()


def _bytes(descriptor: int, limits: Limits, whole_bytes: int) -> Bytes:
    file = FileBytes(descriptor)
    if len(file) > limits.max_file_bytes:
        raise Rejected("too_large", f"{len(file)} bytes > {limits.max_file_bytes}")
    if len(file) > whole_bytes:
        return file
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as whole:
            return whole.read()
    except OSError as error:
        raise Rejected("unreadable", type(error).__name__) from None
