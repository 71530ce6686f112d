"""A sweep on a cluster that lives on: trial, worker, driver are killed, nothing is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.util.state import list_actors, list_nodes, list_placement_groups

from mgray.recipes.bench.memory import titled
from tests.console import ROOT
from tests.nodes import Head, ray_head, wait_for
from tests.tune.test_sweep import TINY
from tune.ledger import STEP, Ledger

STEPS = 24
ENDURING = {"_AutoscalingCoordinatorActor"}
"""One for each cluster, for all jobs, which Ray Train starts and Ray never ends."""

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1800)]


class Cluster:
    """A head with its dashboard, and the sweep on it.

    Args:
        head: Of the cluster.
        env: Of its processes.
        data: Image table.
        out: Of the sweep.
    """

    def __init__(self, head: Head, env: dict[str, str], data: Path, out: Path) -> None:
        self.address, self.out = head.dashboard, out
        self.env = env | {"RAY_ADDRESS": head.gcs}
        self.words = ["fusion.smoke", "focal", f"data={data}", f"out={out}", "samples=1", *TINY]
        self.words += [f"train.steps.sm={STEPS}", "replicates=50"]

    def start_sweep(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tune.sweep", *self.words], cwd=ROOT, env=self.env
        )

    def step(self) -> float:
        """The last validation that the ledger tells of."""
        trials = Ledger(self.out / "ledger.jsonl").trials
        return trials[0].last.get(STEP, 0) if trials else 0

    def left(self) -> list[str]:
        """Actors and placement groups that a sweep has left."""
        groups = list_placement_groups(address=self.address, limit=1000)
        states = [group.state for group in groups if group.state != "REMOVED"]
        actors = list_actors(address=self.address, detail=True, limit=1000)
        living = {one.class_name for one in actors if one.state != "DEAD"}
        return [*(living - ENDURING), *states]


@pytest.fixture(scope="module")
def cluster(phantom_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    path = f"{ROOT / 'platform'}{os.pathsep}{ROOT}"
    env = os.environ | {"PYTHONPATH": path, "RAY_AUTH_MODE": "disabled"}
    with ray_head(env) as head:
        wait_for(lambda: list_nodes(address=head.dashboard))
        yield Cluster(head, env, phantom_table, tmp_path_factory.mktemp("cluster") / "sweep")


def kill(title: str) -> None:
    """Kill -9 the only process whose title begins so, once there is one.

    A sweep that goes on first writes down what its trial did after the driver's death.
    """
    wait_for(lambda: titled(title))
    (pid,) = titled(title)
    os.kill(pid, signal.SIGKILL)


def test_a_sweep_survives_three_kills_and_leaves_neither_actor_nor_placement_group(cluster):
    driver = cluster.start_sweep()
    wait_for(lambda: cluster.step() >= 2)
    kill("ray::ImplicitFunc")  # the trial's process
    reached = cluster.step()
    wait_for(lambda: cluster.step() > reached)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_for(lambda: not cluster.left(), cluster.left)

    reached = cluster.step()
    assert reached < STEPS, "the sweep ended before its driver was killed"
    driver = cluster.start_sweep()
    wait_for(lambda: cluster.step() > reached)
    kill("ray::RayTrainWorker")
    assert driver.wait() == 0
    wait_for(lambda: not cluster.left(), cluster.left)

    trial = Ledger(cluster.out / "ledger.jsonl").trials[0]
    assert trial.end == "done"
    assert [row[STEP] for row in trial.reports] == list(range(0, STEPS + 1, 2))
