"""Real job submission: a Ray head with its dashboard, `ray job submit`, exit codes, last lines."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.console import ROOT
from tests.nodes import RAY, ray_head

TOKEN = secrets.token_hex(16)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ENV = {
    **{key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "RAY_ADDRESS")},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_AUTH_MODE": "token",
}
NOWHERE = "/nowhere/at/all"

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def head_command() -> str:
    """The head's start command of cluster.yaml with this environment's Ray, less its port."""
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    (command,) = (line for line in cluster["head_start_ray_commands"] if "ray start" in line)
    command = command.replace("/opt/mgray/.venv/bin", str(Path(RAY).parent))
    command = command.replace("--port=6379", "")
    return command.replace("--autoscaling-config=~/ray_bootstrap_config.yaml", "")


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """Address of a real head node's dashboard, started as cluster.yaml starts it."""
    with ray_head(ENV, head_command()) as head:
        yield head.dashboard


def submit(address: str, *words: str) -> "subprocess.Popen[str]":
    """Submit from the checkout, exactly as the README says."""
    job = ["job", "submit", "--address", address, "--working-dir", "."]
    job += ["--runtime-env", "jobs/runtime_env.yaml", "--", "python", "-m", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [RAY, *job], cwd=ROOT, env=ENV, stdout=pipe, stderr=subprocess.STDOUT, text=True
    )


@dataclass(frozen=True)
class Done:
    """One job that ended: exit code of ``ray job submit``, all it printed, the job's folder."""

    code: int
    said: str
    out: Path


@pytest.fixture(scope="module")
def done(
    dashboard: str, phantom_archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Done]:
    """Four jobs submitted at once, after they ended."""
    out = tmp_path_factory.mktemp("submitted")
    image = min((phantom_archive / "images").glob("*.dcm"))
    ingest, archive = ["jobs.ingest", "phantom"], f"archive={phantom_archive}"
    words = {
        "ingest": [*ingest, archive, f"out={out}/ingest/t"],
        "dry": [*ingest, archive, f"out={out}/dry/t", "dry_run=true"],
        "failed": [*ingest, f"archive={NOWHERE}", f"out={out}/failed/t"],
        "inspect": ["jobs.inspect", str(image), f"out={out}/inspect/picture.png"],
    }
    for name in words:
        (out / name).mkdir()
    jobs = {name: submit(dashboard, *line) for name, line in words.items()}
    said = {name: job.communicate()[0] for name, job in jobs.items()}
    return {name: Done(job.returncode, said[name], out / name) for name, job in jobs.items()}


def files(done: Done) -> list[str]:
    return sorted(path.name for path in done.out.iterdir())


def test_a_submitted_ingest_succeeds(done):
    job = done["ingest"]
    assert job.code == 0, job.said[-2000:]
    assert (job.out / "t" / "manifest.json").is_file()


def test_a_submitted_dry_run_tells_its_tables_and_writes_nothing(done):
    job = done["dry"]
    assert (job.code, files(job)) == (0, []), job.said[-2000:]
    assert "what an ingest would do" in job.said
    assert "dry run: 80 files: 80 images of 10 patients, 40 pairs, 0 duplicates" in job.said


def test_a_submitted_inspect_tells_its_verdict_and_leaves_a_picture(done):
    job = done["inspect"]
    assert (job.code, files(job)) == (0, ["picture.png"]), job.said[-2000:]
    assert ["verdict", "a", "row"] in [line.split() for line in job.said.splitlines()]
    assert (job.out / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_failed_job_exits_one_and_its_last_line_says_why(dashboard, done):
    assert (done["failed"].code, files(done["failed"])) == (1, [])
    jobs = httpx.get(f"{dashboard}/api/jobs/", headers=BEARER).json()
    (failed,) = (job["submission_id"] for job in jobs if job["status"] == "FAILED")
    log = httpx.get(f"{dashboard}/api/jobs/{failed}/logs", headers=BEARER)
    line = log.json()["logs"].strip().splitlines()[-1]
    assert line.startswith(f"error: archive '{NOWHERE}' ")


def test_strangers_are_refused(dashboard):
    job = {"entrypoint": "true"}
    reply = httpx.post(f"{dashboard}/api/jobs/", json=job)
    assert reply.status_code == httpx.codes.UNAUTHORIZED
