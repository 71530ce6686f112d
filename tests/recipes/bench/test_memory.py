import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mgray.errors import MgrayError
from mgray.recipes.bench import memory as module
from mgray.recipes.bench.memory import (
    EVERY_S,
    PeakMemory,
    check_proc,
    descendants,
    memory,
    titled,
)

MIB = 2**20
HOLD = "import sys; data = b'x' * {size}; print(flush=True); sys.stdin.read()"
IN_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
TITLED = "import sys, time; print(flush=True); time.sleep(60)"
FORKED = """
import os, sys
data = b'x' * {size}
for _ in range(3):
    if os.fork() == 0:
        break
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def running(code: str, lines: int = 1) -> Iterator[int]:
    """A Python that has said so many lines, until the end of the block."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        for _ in range(lines):
            child.stdout.readline()
        yield child.pid
        assert child.stdin is not None
        child.stdin.close()


def peak_of(code: str, lines: int = 1) -> float:
    """Peak in MiB of a Python that runs this."""
    with PeakMemory() as peak, running(code, lines):
        time.sleep(10 * EVERY_S)
    return peak.bytes / MIB


def test_what_a_child_allocates_is_counted() -> None:
    assert 200 <= peak_of(HOLD.format(size=200 * MIB)) < 240


def test_what_a_grandchild_allocates_is_counted() -> None:
    assert 200 <= peak_of(IN_A_CHILD.format(code=HOLD.format(size=200 * MIB))) < 260


def test_pages_that_processes_share_count_once() -> None:
    assert 200 <= peak_of(FORKED.format(size=200 * MIB), lines=4) < 300


def test_the_peak_stays_when_the_process_has_ended() -> None:
    with PeakMemory() as peak:
        with running(HOLD.format(size=100 * MIB)):
            time.sleep(10 * EVERY_S)
        seen = peak.bytes
        time.sleep(3 * EVERY_S)
    assert peak.bytes >= seen >= 100 * MIB


def test_a_process_that_ran_before_is_not_counted() -> None:
    with running(HOLD.format(size=100 * MIB)), PeakMemory() as peak:
        time.sleep(5 * EVERY_S)
    assert peak.bytes < 100 * MIB


def test_nothing_started_is_no_memory() -> None:
    with PeakMemory() as peak:
        time.sleep(3 * EVERY_S)
    assert peak.bytes == 0


def test_a_process_does_not_descend_from_itself() -> None:
    with running(HOLD.format(size=1)) as pid:
        assert pid in descendants(os.getpid())
        assert os.getpid() not in descendants(os.getpid())
    assert pid not in descendants(os.getpid())


def test_a_process_is_found_by_its_title() -> None:
    title = "ray::ServeReplica:detect:Decoder"
    command = ["bash", "-c", f"exec -a {title} {sys.executable} -c '{TITLED}'"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as replica:
        assert replica.stdout
        replica.stdout.readline()
        assert titled(title) == [replica.pid]
        assert titled("ray::ServeReplica:detect:Detector") == []
        replica.kill()


def test_a_process_that_is_gone_has_no_memory() -> None:
    assert memory([2**22 + 1]) == 0


def test_a_machine_that_cannot_be_asked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_proc()
    monkeypatch.setattr(module, "PROC", tmp_path)
    with pytest.raises(MgrayError, match="on Linux only"):
        check_proc()
