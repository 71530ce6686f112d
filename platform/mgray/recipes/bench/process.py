"""Jobs as child processes: how long they take, and how much memory."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mgray.errors import MgrayError
from mgray.recipes.bench.memory import PeakMemory


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
