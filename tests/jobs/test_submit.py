"""Real job submission: a Ray head with its dashboard, `ray job submit`, exit codes, last lines."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
TOKEN = secrets.token_hex(16)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ENV = {
    **{key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "RAY_ADDRESS")},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_AUTH_MODE": "token",
}

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def head_command(port: int, folder: str) -> str:
    """The head's start command of cluster.yaml, on free ports and with this environment's Ray."""
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    (command,) = (line for line in cluster["head_start_ray_commands"] if "ray start" in line)
    command = command.replace("/opt/mgray/.venv/bin", str(Path(RAY).parent))
    command = command.replace("--port=6379", f"--port={free_port()}")
    command = command.replace("--autoscaling-config=~/ray_bootstrap_config.yaml", "")
    return (
        f"{command} --block --num-cpus=2 --dashboard-port={port} --temp-dir={folder}"
        f" --object-store-memory={200 * 2**20} --dashboard-agent-listen-port={free_port()}"
    )


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """Address of a real head node's dashboard, started as cluster.yaml starts it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as short:
        quiet = subprocess.DEVNULL
        head = subprocess.Popen(
            ["bash", "-c", f"{head_command(port, short)} & trap 'kill $!' TERM; wait; wait"],
            env=ENV,
            stdout=quiet,
            stderr=quiet,
        )
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
            if httpx.get(f"{address}/api/version", headers=BEARER).status_code == httpx.codes.OK:
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
    jobs = httpx.get(f"{dashboard}/api/jobs/", headers=BEARER).json()
    (failed,) = (job["submission_id"] for job in jobs if job["status"] == "FAILED")
    log = httpx.get(f"{dashboard}/api/jobs/{failed}/logs", headers=BEARER)
    line = log.json()["logs"].strip().splitlines()[-1]
    assert line.startswith("error: archive '/nowhere/at/all' ")


def test_strangers_are_refused(dashboard):
    job = {"entrypoint": "true"}
    reply = httpx.post(f"{dashboard}/api/jobs/", json=job)
    assert reply.status_code == httpx.codes.UNAUTHORIZED
