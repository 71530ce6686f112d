"""Lossless JPEG of 1990 (DDSM): decoded by a program that the user has, the Stanford decoder.

Libraries of today do not read it. ``jpeg -d -s FILE`` leaves headerless big-endian numbers in
``FILE.1``; it is run on a copy in a folder of its own. That is deleted afterwards, and stays behind
only if this process is killed meanwhile; the program is killed with it.

References:
    github.com/aaalgo/ljpeg keeps its sources, made to compile today.
"""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mgray.dicom.limits import Limits
from mgray.errors import Rejected

HOW: Final = (
    "build the Stanford lossless JPEG decoder (src/ljpeg/jpegdir of github.com/aaalgo/ljpeg: make, "
    "which needs flex) and name it with ljpeg_decoder=PATH"
)
SHARE: Final = 0.5
"""Of the time that one file may take; the rest is for what follows."""
MORE: Final = 2**20
"""Bytes that a file of the program may have beyond the image's."""
NAME: Final = "image.LJPEG"
PR_SET_PDEATHSIG: Final = 1
"""Of Linux's prctl(2): the signal that a process gets when the thread that started it ends."""
LIBC: Final = ctypes.CDLL(None)


def decode_ljpeg(data: bytes, decoder: str | None, expected: int, limits: Limits) -> bytes:
    """Decode one file.

    Args:
        data: The file.
        decoder: Path of the program.
        expected: Bytes that it must leave.
        limits: What one file may cost.

    Returns:
        Big-endian numbers, rows after one another.

    Raises:
        Rejected: ``unsupported_syntax`` without a decoder, ``timeout``, ``corrupt_pixels`` if it
            leaves nothing, ``header_mismatch`` if it leaves another number of bytes.
    """
    if decoder is None:
        raise Rejected("unsupported_syntax", f"lossless JPEG of 1990: {HOW}")
    with TemporaryDirectory(prefix="mgray-") as folder:
        Path(folder, NAME).write_bytes(data)
        _run([decoder, "-d", "-s", NAME], folder, expected, limits)
        made = Path(folder, f"{NAME}.1")
        if not made.is_file():
            raise Rejected("corrupt_pixels", "the decoder left no image")
        if (size := made.stat().st_size) != expected:
            raise Rejected("header_mismatch", f"decoded to {size} bytes, expected {expected}")
        return made.read_bytes()


def _run(command: list[str], folder: str, expected: int, limits: Limits) -> None:
    """Run the decoder, with nothing to read or say; what it leaves tells whether it worked."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call, that takes no lock
        )
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise Rejected("unsupported_syntax", f"the decoder cannot be run ({why}): {HOW}") from None
    most = expected + MORE
    with contextlib.suppress(OSError):  # it may have ended
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    try:
        process.wait(SHARE * limits.wall_s)
    except subprocess.TimeoutExpired:
        raise Rejected("timeout", "the decoder took too long") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # and whatever it started
            process.wait()


def _die_with_parent() -> None:
    """Ask Linux to be killed with the thread that started this process; the decoder inherits it."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
