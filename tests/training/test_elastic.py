"""A node dies while a stage trains on two: it goes on with the workers that are left."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mgray.config import replace, save_yaml
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.journal import read_rows
from mgray.training.port import RAY, LocalPort
from mgray.training.stages import train_stage
from tests.nodes import ROOT, killable_nodes, sockets_left_open

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1800)]

NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
STEPS = 6
STEADY = {
    "batches.global_batch_size": 3,  # two workers have unequal shares
    "optimizer.learning_rate": 1e-5,
    "train.steps.sm": STEPS,
    "train.batch_norm": "eval",
    "train.validate_every": 1000,
}
ELASTIC = {"train.workers": 2, "train.min_workers": 1}

WORK = """
import sys
from pathlib import Path
from mgray.config import load_yaml
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.worker import train_on_ray
train_on_ray(build_stages(load_yaml(FusionRun, Path(sys.argv[1])))[1])
"""


def test_a_stage_goes_on_with_fewer_workers(tiny: FusionRun, tmp_path: Path) -> None:
    """Its losses are those of one process: the samples do not depend on the workers."""
    alone, shared = (
        replace(tiny, {**STEADY, "out": tmp_path / name}) for name in ("alone", "shared")
    )
    stage = build_stages(alone)[1]
    train_stage(stage, LocalPort(stage.loop.folder))
    save_yaml(replace(shared, ELASTIC), tmp_path / "run.yaml")
    with killable_nodes(**NODE) as cluster, sockets_left_open():
        node = cluster.add_node(**NODE)
        with job(cluster.address, tmp_path) as process:
            wait_for(shared.out / "stages" / "sm" / RAY / "step_0000002", process, tmp_path / "log")
            cluster.remove_node(node, allow_graceful=False)
            assert process.wait(200) == 0, (tmp_path / "log").read_text()
    wanted, found = ({row["step"]: row["loss"] for row in trained(run)} for run in (alone, shared))
    assert found.keys() == wanted.keys() == set(range(1, STEPS + 1))
    assert found == pytest.approx(wanted, rel=1e-3)
    assert {row["workers"] for row in trained(shared)} == {1, 2}


@contextmanager
def job(address: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A driver of its own, which joins the cluster."""
    command = [sys.executable, "-c", WORK, str(folder / "run.yaml")]
    env = os.environ | {"RAY_ADDRESS": address}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(state: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    while not state.exists():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)


def trained(run: FusionRun) -> list[dict[str, Any]]:
    rows = read_rows(run.out / "stages" / "sm" / "metrics.jsonl")
    return [row for row in rows if "loss" in row]
