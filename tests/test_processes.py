"""Worker processes end with the process that asked for them, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mgray.processes import worker_processes

STARTER = """
import os, signal, sys
from concurrent.futures import wait
from pathlib import Path
from mgray.cli import guard
from mgray.processes import worker_processes
from tests.test_processes import stay

def run(words):
    with worker_processes(2) as pool:
        wait([pool.submit(stay, Path(word)) for word in words])

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    guard("", run)
"""
FOREVER_S = 600


def stay(note: Path) -> None:
    """Say who works, then be busy for ever."""
    note.with_suffix(".part").write_text(str(os.getpid()))
    note.with_suffix(".part").rename(note)
    time.sleep(FOREVER_S)


def double(number: int) -> int:
    return 2 * number


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_work_comes_back_from_several_processes() -> None:
    with worker_processes(2) as pool:
        assert list(pool.map(double, range(5))) == [0, 2, 4, 6, 8]


def test_a_worker_that_dies_is_told() -> None:
    with pytest.raises(Exception, match="terminated abruptly"), worker_processes(1) as pool:
        pool.submit(die, 0).result()


def test_an_error_does_not_wait_for_what_is_under_way(tmp_path: Path) -> None:
    def fail() -> None:
        with worker_processes(1) as pool:
            pool.submit(stay, tmp_path / "one")
            pid_in(tmp_path / "one")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert is_gone(pid_in(tmp_path / "one"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_of_a_killed_process_end(how: signal.Signals, tmp_path: Path) -> None:
    script, notes = tmp_path / "starter.py", [tmp_path / "one", tmp_path / "two"]
    script.write_text(STARTER)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    starter = subprocess.Popen([sys.executable, script, *map(str, notes)], env=env)
    try:
        workers = [pid_in(note) for note in notes]
        starter.send_signal(how)
        code = starter.wait(60)
    finally:
        starter.kill()
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how]
    assert all(map(is_gone, workers))


def pid_in(note: Path) -> int:
    """Wait for a worker to say who it is."""
    while not note.exists():
        time.sleep(0.05)
    return int(note.read_text())


def is_gone(pid: int) -> bool:
    """Wait a minute for a process to end; one that nobody has asked about yet is a zombie."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
