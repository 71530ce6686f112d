"""Real job submission: a Ray head with its dashboard, `ray job submit`, exit codes, last lines."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
ENV = {
    **{key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "RAY_ADDRESS")},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
}

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """Address of a real head node's dashboard."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as short:
        words = ["start", "--head", "--block", f"--port={free_port()}", "--num-cpus=2"]
        words += ["--dashboard-host=127.0.0.1", f"--dashboard-port={port}", f"--temp-dir={short}"]
        words += ["--disable-usage-stats", f"--object-store-memory={200 * 2**20}"]
        words += [f"--dashboard-agent-listen-port={free_port()}"]
        quiet = subprocess.DEVNULL
        head = subprocess.Popen([RAY, *words], env=ENV, stdout=quiet, stderr=quiet)
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(address)
            yield address
        finally:
            head.terminate()
            head.wait(timeout=60)


def wait_until_up(address: str) -> None:
    for _ in range(120):
        try:
            if httpx.get(f"{address}/api/version").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise TimeoutError("the Ray head did not start within a minute")


def submit(address: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Submit from the checkout, exactly as the README says, and wait."""
    job = ["job", "submit", "--address", address, "--working-dir", "."]
    job += ["--runtime-env", "jobs/runtime_env.yaml", "--", "python", "-m", *words]
    return subprocess.run(
        [RAY, *job], cwd=ROOT, env=ENV, capture_output=True, text=True, check=False
    )


def test_a_submitted_ingest_succeeds(dashboard, phantom_archive, tmp_path):
    job = submit(
        dashboard, "jobs.ingest", "phantom", f"archive={phantom_archive}", f"out={tmp_path}/t"
    )
    assert job.returncode == 0, job.stdout[-2000:]
    assert (tmp_path / "t" / "manifest.json").is_file()


def test_a_failed_job_exits_one_and_its_last_line_says_why(dashboard, tmp_path):
    job = submit(
        dashboard, "jobs.ingest", "phantom", "archive=/nowhere/at/all", f"out={tmp_path}/t"
    )
    assert job.returncode == 1
    lines = [line for line in job.stdout.splitlines() if line.startswith("error: ")]
    assert lines
    assert "archive" in lines[-1]
