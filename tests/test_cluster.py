"""Starting Ray: alone beside another one, joined by its address, and in one line if that fails."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mgray.cluster import simulated_nodes

ROOT = Path(__file__).parents[1]
PATH = os.pathsep.join([str(ROOT / "platform"), str(ROOT)])
RAY = {"RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_TMPDIR"}


def run(code: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run Python without what the tests' own environment says about Ray."""
    kept = {name: value for name, value in os.environ.items() if name not in RAY}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command,
        env={**kept, "PYTHONPATH": PATH, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: sockets take 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.ray
def test_a_ray_that_runs_on_the_machine_is_left_alone(short: Path) -> None:
    (short / "ray").mkdir()
    (short / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")  # as ``ray start`` leaves it
    code = """
import os, ray
from mgray.cluster import start_ray
print(start_ray(cpus=3), start_ray())
found = ray.cluster_resources()
print(found["CPU"], found["object_store_memory"] <= 200 * 2**20, os.environ["RAY_AUTH_MODE"])
"""
    done = run(code, RAY_TMPDIR=str(short))
    assert done.stdout.split() == ["True", "False", "3.0", "True", "disabled"], done.stderr
    assert "oken authentication" not in done.stderr


@pytest.mark.ray
@pytest.mark.parametrize("wait", ["time.sleep(60)", "ray.wait([never.remote()], timeout=60)"])
def test_a_command_on_ray_that_is_terminated_says_so_and_stops_what_it_started(
    short: Path, wait: str
) -> None:
    code = f"""
import os, ray, signal, threading, time
from mgray.cli import guard
from mgray.cluster import start_ray

@ray.remote(num_cpus=2)
def never():
    pass

def run(words):
    try:
        start_ray(cpus=1)
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        {wait}
    finally:
        print("stopped")

guard("", run)
"""
    done = run(code, RAY_TMPDIR=str(short))
    assert done.stdout == "stopped\n"
    assert done.stderr == "terminated: run the same command again to continue\n"
    assert done.returncode == 143


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "nonsense"])
def test_a_cluster_that_cannot_be_joined_is_one_line(address: str) -> None:
    code = """
from mgray.cluster import start_ray
from mgray.errors import MgrayError
try:
    start_ray()
except MgrayError as error:
    print(error)
"""
    done = run(code, RAY_ADDRESS=address)
    assert done.stdout.startswith(f"no Ray cluster to join at RAY_ADDRESS={address} ("), done.stderr
    assert "unset RAY_ADDRESS to start a Ray here" in done.stdout


class FakeCluster:
    """Remembers its nodes."""

    address = "1.2.3.4:5"
    last: ClassVar["FakeCluster"]

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        FakeCluster.last = self

    def add_node(self, **told: Any) -> None:
        self.nodes.append(told)

    def shutdown(self) -> None:
        self.nodes.clear()


def test_simulated_nodes_have_the_processors_asked_for_and_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ray.cluster_utils.Cluster", FakeCluster)
    with simulated_nodes((2, 1)) as address:
        head, other = FakeCluster.last.nodes
        assert (address, head["num_cpus"], other["num_cpus"]) == ("1.2.3.4:5", 2, 1)
        assert not head["include_dashboard"]
        assert Path(head["temp_dir"]).is_dir()
    assert not FakeCluster.last.nodes
    assert not Path(head["temp_dir"]).exists()
