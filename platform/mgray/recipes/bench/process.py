"""Jobs and functions in child processes: how long they take, and how much memory."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from mgray.errors import MgrayError
from mgray.recipes.bench.memory import PeakMemory


class Cost(NamedTuple):
    """Of one function, in a process of its own."""

    seconds: float
    bytes: int
    """At the peak."""


def seconds_of(words: Sequence[str], log: Path, **environment: str) -> float:
    """Run ``python -m`` with these words from start to end, and take the time.

    Args:
        words: Module and arguments.
        log: What the job says is appended to it.
        environment: Variables that the job has besides this process's.

    Raises:
        MgrayError: The job failed.
    """
    start = time.perf_counter()
    with log.open("ab") as sink:
        command = [sys.executable, "-m", *words]
        env = os.environ | environment
        done = subprocess.run(command, stdout=sink, stderr=sink, env=env, check=False)
    if done.returncode:
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise MgrayError(
            f"{words[0]} failed, exit code {done.returncode}: {last}; see {str(log)!r}"
        )
    return time.perf_counter() - start


def peak_of(words: Sequence[str], log: Path) -> int:
    """Run ``python -m`` with these words, and take the peak memory of all its processes, bytes.

    Raises:
        MgrayError: The job failed.
    """
    with PeakMemory() as peak:
        seconds_of(words, log)
    return peak.bytes


def cost_alone(part: Callable[..., object], *arguments: Any) -> Cost:
    """Call a function of a module in a fresh process, and take its time and peak memory."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_cost, (part, arguments))


def _cost(part: Callable[..., object], arguments: Sequence[Any]) -> Cost:
    start = time.perf_counter()
    part(*arguments)
    seconds = time.perf_counter() - start
    return Cost(seconds, _peak())


def _peak() -> int:
    """Peak memory of this process; ``getrusage`` also counts that of who started it."""
    told = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in told if line.startswith("VmHWM:"))
