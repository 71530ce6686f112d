"""Peak memory of everything that this process starts, sampled from /proc.

Counted is the proportional set size (PSS): a page that several processes share counts once in
their sum, where the resident set size would count Ray's shared object store many times.

References:
    proc_pid_smaps_rollup(5), proc_pid_stat(5).
"""

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

from mgray.errors import MgrayError

PROC: Final = Path("/proc")
EVERY_S: Final = 0.1


class PeakMemory:
    """Watch the processes started inside a ``with`` block, and theirs; ``.bytes`` is their peak.

    It costs a few milliseconds each time: do not time what is watched.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mgray-memory", daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._before = descendants(os.getpid())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.bytes = max(self.bytes, memory(descendants(os.getpid()) - self._before))


def check_proc() -> None:
    """Check that this machine can be asked.

    Raises:
        MgrayError: It is not Linux, or an old one.
    """
    if not (PROC / "self" / "smaps_rollup").is_file():
        raise MgrayError("no /proc/self/smaps_rollup: the bench measures memory on Linux only")


def descendants(root: int) -> set[int]:
    """Process ids of all children of a process, and of theirs; not its own."""
    parents = _parents()
    found: set[int] = set()
    new = {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def titled(title: str) -> list[int]:
    """Processes below this one whose title begins so, e.g. ``ray::ServeReplica:detect:Decoder``."""
    commands = {pid: _text(PROC / str(pid) / "cmdline") for pid in descendants(os.getpid())}
    return sorted(pid for pid, command in commands.items() if command.startswith(title))


def memory(pids: Iterable[int]) -> int:
    """Sum of the proportional set sizes, bytes; processes that have ended count nothing."""
    return sum(map(_pss, pids))


def _parents() -> dict[int, int]:
    parents = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            stat = _text(folder / "stat").rpartition(")")[2].split()  # the name may hold spaces
            if stat:
                parents[int(folder.name)] = int(stat[1])
    return parents


def _pss(pid: int) -> int:
    for line in _text(PROC / str(pid) / "smaps_rollup").splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * 1024
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # the process has ended
        return ""
