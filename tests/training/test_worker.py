"""The same loop inside Ray Train: two DDP workers, one global batch, deaths included."""

import os
import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mgray.config import replace
from mgray.data.batches import Batch
from mgray.errors import MgrayError
from mgray.models.folder import load_model
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.journal import read_rows
from mgray.training.port import LocalPort
from mgray.training.stages import Stage, train_stage
from mgray.training.task import Task
from mgray.training.worker import train_on_ray

pytestmark = pytest.mark.ray


@pytest.fixture
def fused(tiny: FusionRun, finished: Path, tmp_path: Path) -> FusionRun:
    """Stage III in a folder of its own, batch norms fixed so that shares of a batch add up."""
    (tmp_path / "models").mkdir()
    for name in ("sm", "student"):
        (tmp_path / "models" / name).symlink_to(finished / "models" / name)
    changes = {"out": tmp_path, "train.batch_norm": "eval", "train.workers": 2}
    return replace(tiny, changes | {"train.cpus_per_worker": 0.5})


def stage_three(config: FusionRun) -> Stage:
    return build_stages(config)[4]


def test_two_workers_learn_what_one_learns(ray_cluster: None, fused: FusionRun) -> None:
    stage = stage_three(fused)
    train_on_ray(stage)
    shared = [
        row["loss"] for row in read_rows(stage.loop.folder / "metrics.jsonl") if "loss" in row
    ]
    b = load_model(stage.model)[0].get_submodule("trunk_b").state_dict()
    student = load_model(fused.out / "models" / "student")[0].get_submodule("trunk").state_dict()
    assert all(torch.equal(b[key], value) for key, value in student.items())
    assert len(list((stage.loop.folder / "checkpoints").glob("step_*"))) == 2

    alone_folder = fused.out / "alone"
    alone_folder.mkdir()
    (alone_folder / "models").symlink_to(fused.out / "models")
    alone = stage_three(replace(fused, {"out": alone_folder}))
    stage.model.rename(fused.out / "models" / "by_two")
    train_stage(alone, LocalPort(alone.loop.folder))
    single = [
        row["loss"] for row in read_rows(alone.loop.folder / "metrics.jsonl") if "loss" in row
    ]
    assert shared == pytest.approx(single, rel=1e-4)


def test_a_killed_worker_costs_one_interval(ray_cluster: None, fused: FusionRun) -> None:
    stage = stage_three(replace(fused, {"train.steps.fused": 3}))
    marker = fused.out / "died"

    def build_and_die() -> Task:
        task = stage.build()
        forward = task.forward

        def dying(batch: Batch) -> dict[str, Tensor]:
            resumed = (stage.loop.folder / "checkpoints" / "step_0000001").exists()
            if resumed and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return forward(batch)

        task.forward = dying  # type: ignore[method-assign]  # a fault put in by hand
        return task

    train_on_ray(Stage(stage.name, build_and_die, stage.export, stage.feed, stage.loop))
    assert marker.exists()
    steps = [r["step"] for r in read_rows(stage.loop.folder / "metrics.jsonl") if "loss" in r]
    assert steps == [1, 2, 3]
    assert stage.model.is_dir()


def test_what_a_worker_says_reaches_the_user_as_one_line(
    ray_cluster: None, fused: FusionRun, tmp_path: Path
) -> None:
    changes = {"data": tmp_path / "nowhere", "train.max_failures": 0}
    with pytest.raises(MgrayError, match="no image table in"):
        train_on_ray(stage_three(replace(fused, changes)))
