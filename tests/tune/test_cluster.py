"""A sweep on a cluster that lives on: trial, worker, driver are killed, nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.util.state import list_actors, list_nodes, list_placement_groups

from tests.tune.test_sweep import TINY
from tune.ledger import STEP, Ledger

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
PATIENCE_S = 240
ENDURING = {"_AutoscalingCoordinatorActor"}
"""One for each cluster, for all jobs, which Ray Train starts and Ray never ends."""

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(said: Callable[[], object]) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: It does not become so.
    """
    end = time.monotonic() + PATIENCE_S
    while not said():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.2)


class Cluster:
    """A head with its dashboard, and the sweep on it.

    Args:
        folder: Of the head; short, for its sockets.
        data: Image table.
        out: Of the sweep.
    """

    def __init__(self, folder: str, data: Path, out: Path) -> None:
        self.gcs, dashboard = free_port(), free_port()
        self.address, self.out = f"http://127.0.0.1:{dashboard}", out
        path = f"{ROOT / 'platform'}{os.pathsep}{ROOT}"
        self.env = os.environ | {"PYTHONPATH": path, "RAY_AUTH_MODE": "disabled"}
        self.env |= {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
        self.words = ["fusion.smoke", "focal", f"data={data}", f"out={out}", "samples=1", *TINY]
        self.words += ["train.steps.sm=12", "replicates=50"]
        start = [
            RAY, "start", "--head", "--block", f"--port={self.gcs}", "--num-cpus=2",
            f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={free_port()}",
            f"--temp-dir={folder}", f"--object-store-memory={200 * 2**20}",
        ]  # fmt: skip
        self.head = self.run(start)
        while not self.is_up():
            if self.head.poll() is not None:  # Ray gives a busy machine thirty seconds
                self.head = self.run(start)
            time.sleep(0.2)

    def run(self, words: list[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            words, env=self.env, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def is_up(self) -> bool:
        try:
            return any(node.state == "ALIVE" for node in list_nodes(address=self.address))
        except Exception:
            return False

    def start_sweep(self) -> subprocess.Popen[bytes]:
        env = self.env | {"RAY_ADDRESS": f"127.0.0.1:{self.gcs}"}
        return subprocess.Popen(
            [sys.executable, "-m", "tune.sweep", *self.words], cwd=ROOT, env=env
        )

    def step(self) -> float:
        """The last validation that the ledger tells of."""
        trials = Ledger(self.out / "ledger.jsonl").trials
        return trials[0].last.get(STEP, 0) if trials else 0

    def actors(self) -> dict[str, int]:
        """Class and process of all living actors."""
        living = list_actors(address=self.address, detail=True, limit=1000)
        return {one.class_name: one.pid for one in living if one.state != "DEAD"}

    def is_clean(self) -> bool:
        groups = list_placement_groups(address=self.address, limit=1000)
        return set(self.actors()) <= ENDURING and all(g.state == "REMOVED" for g in groups)


@pytest.fixture(scope="module")
def cluster(phantom_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(
        prefix="ray", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        cluster = Cluster(folder, phantom_table, tmp_path_factory.mktemp("cluster") / "sweep")
        yield cluster
        os.killpg(cluster.head.pid, signal.SIGTERM)
        cluster.head.wait(60)


def test_a_sweep_survives_three_kills_and_leaves_neither_actor_nor_placement_group(cluster):
    driver = cluster.start_sweep()
    wait_for(lambda: cluster.step() >= 2)
    os.kill(cluster.actors()["ImplicitFunc"], signal.SIGKILL)  # the trial's process
    reached = cluster.step()
    wait_for(lambda: cluster.step() > reached)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_for(cluster.is_clean)

    reached = cluster.step()
    driver = cluster.start_sweep()
    wait_for(lambda: "RayTrainWorker" in cluster.actors() and cluster.step() > reached)
    os.kill(cluster.actors()["RayTrainWorker"], signal.SIGKILL)
    assert driver.wait() == 0
    wait_for(cluster.is_clean)

    trial = Ledger(cluster.out / "ledger.jsonl").trials[0]
    assert trial.end == "done"
    assert [row[STEP] for row in trial.reports] == list(range(0, 13, 2))
