import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mgray.dicom.child import DecodeChild, _exchange
from mgray.dicom.example import example_file
from mgray.dicom.limits import Limits
from mgray.dicom.record import read_record
from mgray.errors import MgrayError, Rejected

IMAGE = np.random.default_rng(0).integers(0, 4096, (64, 48))
GOOD = example_file(IMAGE, "rle")


@pytest.fixture(scope="module")
def child():
    with DecodeChild() as running:
        yield running


def pipe_that_never_ends(folder):
    """A named pipe without a writer: opening it hangs."""
    path = folder / "hang"
    os.mkfifo(path)
    return path


def fate(child, data):
    try:
        child.read(data)
    except Rejected as refusal:
        return refusal.reason
    return "record"


def is_gone(pid):
    return not Path(f"/proc/{pid}").exists()


def test_answer_equals_that_of_this_process(child, tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(GOOD)
    assert child.read(GOOD) == child.read(path) == read_record(GOOD)


def test_source_s_kind_is_passed_on(child):
    assert child.read(GOOD, "film").columns["kind_evidence"] == "source"


def test_refusals_come_through(child):
    with pytest.raises(Rejected) as caught:
        child.read(b"hello" * 100)
    assert caught.value.reason == "not_dicom"


def test_a_missing_file_is_unreadable(child, tmp_path):
    with pytest.raises(Rejected, match="could not be opened"):
        child.read(tmp_path / "none")


def test_one_process_serves_many_files(child):
    child.read(GOOD)
    first = child.pid
    for _ in range(20):
        child.read(GOOD)
    assert child.pid == first


def test_kill_during_a_file_is_that_file_s_fate(child, tmp_path):
    child.read(GOOD)
    victim = child.pid
    threading.Timer(0.3, os.kill, (victim, signal.SIGKILL)).start()
    with pytest.raises(Rejected) as caught:
        child.read(pipe_that_never_ends(tmp_path))
    assert caught.value.reason == "decoder_died"
    assert is_gone(victim)
    assert child.read(GOOD) == read_record(GOOD)
    assert child.pid != victim


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_death_between_files_is_nobody_s_fault(child, how):
    child.read(GOOD)
    os.kill(child.pid, how)
    time.sleep(0.2)
    assert child.read(GOOD) == read_record(GOOD)


def test_hang_ends_at_the_wall_limit(tmp_path):
    with DecodeChild(Limits(wall_s=1.0)) as child:
        child.read(GOOD)
        victim, start = child.pid, time.monotonic()
        with pytest.raises(Rejected) as caught:
            child.read(pipe_that_never_ends(tmp_path))
        assert caught.value.reason == "timeout"
        assert time.monotonic() - start < 20
        assert is_gone(victim)
        assert child.read(GOOD) == read_record(GOOD)


def test_a_stopped_child_is_a_hang():
    with DecodeChild(Limits(wall_s=1.0)) as child:
        child.read(GOOD)
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(Rejected) as caught:
            child.read(GOOD * 100)
        assert caught.value.reason == "timeout"


def test_processor_time_is_limited_per_file():
    large = np.random.default_rng(0).integers(0, 4096, (1600, 1200))
    slow = example_file(large, "j2k")
    with DecodeChild(Limits(cpu_s=0)) as child:
        assert any(fate(child, slow) == "timeout" for _ in range(15))


def test_memory_is_limited():
    large = example_file(np.zeros((6000, 6000), np.uint16))
    with DecodeChild(Limits(memory_bytes=400 * 2**20)) as child:
        assert fate(child, large) in ("too_large", "decoder_died")
        assert child.read(GOOD) == read_record(GOOD)


def test_close_leaves_no_process_and_the_child_can_start_again():
    with DecodeChild() as child:
        child.read(GOOD)
        pid = child.pid
        child.close()
        assert is_gone(pid)
        assert child.pid is None
        assert child.read(GOOD) == read_record(GOOD)


@pytest.fixture
def interruptible():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_child(tmp_path):
    with DecodeChild() as child:
        child.read(GOOD)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            child.read(pipe_that_never_ends(tmp_path))
        assert child.pid is None
        assert child.read(GOOD) == read_record(GOOD)


def dies_at_start(child, times):
    """Kill the first processes that a child launches."""
    launch, left = child._launch, iter(range(times))

    def launch_and_kill():
        process = launch()
        if next(left, None) is not None:
            process.kill()
        return process

    child._launch = launch_and_kill
    return child


def test_death_while_it_starts_is_nobody_s_fault():
    with dies_at_start(DecodeChild(), 2) as child, pytest.raises(Rejected, match="no bytes"):
        child.read(b"")
    assert child.starts == 3


def test_child_that_never_starts_is_an_error():
    with dies_at_start(DecodeChild(), 9) as child, pytest.raises(MgrayError, match="status -9"):
        child.read(b"")


def test_a_question_waits_until_the_one_before_is_answered(monkeypatch):
    """Else a thread whose asker has gone, and which goes on, could take the next one's answer."""
    real, inside, most = _exchange, [], []

    def exchange(*asked):
        inside.append(asked)
        most.append(len(inside))
        time.sleep(0.05)
        answer = real(*asked)
        inside.pop()
        return answer

    monkeypatch.setattr("mgray.dicom.child._exchange", exchange)
    other = example_file(IMAGE[:40], "j2k")
    with DecodeChild() as child:
        given_up = [threading.Thread(target=child.read, args=(other,)) for _ in range(3)]
        for thread in given_up:
            thread.start()
        assert child.read(GOOD).columns["rows"] == len(IMAGE)
        for thread in given_up:
            thread.join()
        assert child.starts == 1
    assert max(most) == 1
    assert len(most) == 5  # with the greeting
