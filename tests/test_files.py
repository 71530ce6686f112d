import os
import signal
import subprocess
import sys

import pytest

from mgray.errors import DataError
from mgray.files import only_writer, sha256_of, whole, write_text

HOLDER = """
import pathlib, sys, time
sys.path.insert(0, "platform")
from mgray.files import only_writer
with only_writer(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_file_appears_whole_at_the_end(tmp_path):
    path = tmp_path / "deep" / "file"
    with whole(path) as draft:
        draft.write_text("content")
        assert not path.exists()
    assert path.read_text() == "content"


def test_failure_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(RuntimeError):
        fail_halfway(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("file", "old")]


def fail_halfway(path):
    with whole(path) as draft:
        draft.write_text("half")
        raise RuntimeError


def test_hash_is_sha256(tmp_path):
    write_text(tmp_path / "file", "abc")
    assert sha256_of(tmp_path / "file").startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``tmp_path``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_second_writer_of_a_folder_is_refused_in_one_line(tmp_path, holder):
    with pytest.raises(DataError, match="somebody else writes into"), only_writer(tmp_path):
        raise AssertionError("two writers")


def test_lock_dies_with_its_holder(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with only_writer(tmp_path):
        pass


def test_folder_can_be_written_again_after_the_first_writer(tmp_path):
    for _ in range(2):
        with only_writer(tmp_path):
            pass


def test_file_that_never_answers_has_no_hash(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Invalid argument"):
        sha256_of(tmp_path / "pipe")
