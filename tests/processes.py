"""The processes that the tests have started."""

import os
from pathlib import Path

from mgray.recipes.bench.memory import descendants, memory


def pids_of(title: str) -> list[int]:
    """This Ray's processes whose title begins so, e.g. ``ray::ServeReplica:mgray:Decoder``."""
    return sorted(pid for pid in descendants(os.getpid()) if title_of(pid).startswith(title))


def title_of(pid: int) -> str:
    """What the process calls itself; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def proxy_bytes() -> int:
    """Memory of Serve's proxy."""
    return memory(pids_of("ray::ProxyActor"))
