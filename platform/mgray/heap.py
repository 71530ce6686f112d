"""Memory that one image leaves behind, kept for the next.

An array of some megabytes is freed and another one of its size is needed a moment later. The C
library gives the first back to the system and asks for the second, which comes page by page at its
first touch: half of the time of decoding an image of 1024 x 832, and two threads wait for each
other meanwhile.
"""

import ctypes
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
KEPT: Final = 64 * 2**20
"""Bytes at the end of a heap that are not given back."""
LARGEST: Final = 32 * 2**20
"""Bytes of the largest block that is taken from a heap; more is not allowed."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, up to ``KEPT`` bytes for each of its heaps.

    Returns:
        Whether the C library can be told so: glibc can, others are left as they are.

    References:
        mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, KEPT) and mallopt(M_MMAP_THRESHOLD, LARGEST))
