from pathlib import Path

import pytest
import torch

from mgray.errors import SchemaError
from mgray.models.config import DetectorConfig, LossConfig
from mgray.models.efficientdet import EfficientDet
from mgray.training.checkpoint import STATE_FILE, restore_state, save_state
from mgray.training.config import OptimizerConfig, TrainConfig
from mgray.training.optimizer import build_optimizer
from mgray.training.task import DetectionTask


def build_task() -> DetectionTask:
    detector = EfficientDet(DetectorConfig(weights="none"))
    return DetectionTask(detector, ("sm",), LossConfig(), TrainConfig())


def test_no_folder_starts_at_step_zero_without_a_best() -> None:
    task = build_task()
    optimizer = build_optimizer(task, OptimizerConfig())
    assert restore_state(None, task, optimizer) == (0, float("inf"))


def test_a_state_brings_back_step_best_weights_and_moments(tmp_path: Path) -> None:
    task = build_task()
    optimizer = build_optimizer(task, OptimizerConfig())
    sum(p.sum() for p in task.parameters()).backward()
    optimizer.step()
    save_state(tmp_path, 7, task, optimizer, 0.25)
    other = build_task()
    fresh = build_optimizer(other, OptimizerConfig())
    assert restore_state(tmp_path, other, fresh) == (7, 0.25)
    got = other.state_dict()
    assert all(torch.equal(got[key], value) for key, value in task.state_dict().items())
    assert torch.equal(
        fresh.state_dict()["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"]
    )


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    task = build_task()
    torch.save({"version": 0}, tmp_path / STATE_FILE)
    with pytest.raises(SchemaError, match="format version 0, expected 1"):
        restore_state(tmp_path, task, build_optimizer(task, OptimizerConfig()))
