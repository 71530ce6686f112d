import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mgray.dicom.limits import Limits
from mgray.dicom.ljpeg import decode_ljpeg
from mgray.errors import Rejected


@pytest.fixture
def program(tmp_path):
    """Write a shell script that is called as the decoder is."""

    def write(*lines):
        path = tmp_path / "jpeg"
        path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_program_gets_a_copy_and_what_it_leaves_is_the_image(program):
    told = program('test "$1 $2" = "-d -s" && cp "$3" "$3.1"')
    assert decode_ljpeg(b"abcd", told, 4, Limits()) == b"abcd"


def test_folder_of_the_copy_is_gone_afterwards(program, tmp_path):
    told = program(f"pwd > {tmp_path}/where", 'cp "$3" "$3.1"')
    decode_ljpeg(b"ab", told, 2, Limits())
    where = Path((tmp_path / "where").read_text().strip())
    assert where.parent != tmp_path
    assert not where.exists()


def test_program_that_hangs_is_ended_with_what_it_started(program, tmp_path):
    told = program(f"sleep 60 & echo $! > {tmp_path}/pid", "wait")
    with pytest.raises(Rejected) as error:
        decode_ljpeg(b"ab", told, 2, Limits(wall_s=0.6))
    assert error.value.reason == "timeout"
    time.sleep(0.05)
    stat = Path(f"/proc/{int((tmp_path / 'pid').read_text())}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["exit 0"], "corrupt_pixels"),
        (['printf abc > "$3.1"'], "header_mismatch"),
        (['head -c 9999999 /dev/zero > "$3.1"'], "header_mismatch"),
    ],
)
def test_what_it_leaves_must_be_of_the_size_that_is_told(program, lines, reason):
    with pytest.raises(Rejected) as error:
        decode_ljpeg(b"abcd", program(*lines), 4, Limits())
    assert error.value.reason == reason


@pytest.mark.parametrize("decoder", [None, "/nowhere/jpeg"])
def test_without_a_decoder_the_refusal_says_how_to_get_it(decoder):
    with pytest.raises(Rejected, match="ljpeg_decoder=PATH") as error:
        decode_ljpeg(b"abcd", decoder, 4, Limits())
    assert error.value.reason == "unsupported_syntax"
    assert "nowhere" not in str(error.value)


def is_running(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


def until(holds):
    """Wait for it, at most 20 s."""
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_program_does_not_outlive_the_process_that_runs_it(program, tmp_path):
    told = program(f"echo $$ > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/pid", "exec sleep 60")
    code = (
        "from mgray.dicom.limits import Limits; from mgray.dicom.ljpeg import decode_ljpeg; "
        f"decode_ljpeg(b'ab', {told!r}, 2, Limits())"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        assert until((tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        assert is_running(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert until(lambda: not is_running(pid))
