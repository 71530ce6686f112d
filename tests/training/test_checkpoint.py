from pathlib import Path

import pytest
import torch

from mgray.config import replace
from mgray.errors import SchemaError
from mgray.models.config import DetectorConfig, LossConfig
from mgray.models.efficientdet import EfficientDet
from mgray.training.checkpoint import STATE_FILE, restore_state, save_state
from mgray.training.config import OptimizerConfig, TrainConfig
from mgray.training.step import Learner, build_learner
from mgray.training.task import DetectionTask

EVERYTHING = replace(TrainConfig(), {"average.kind": "ema", "precision": "float16"})


def make_learner(train: TrainConfig = EVERYTHING) -> Learner:
    detector = EfficientDet(DetectorConfig(weights="none"))
    task = DetectionTask(detector, ("sm",), LossConfig(), train)
    return build_learner(task, 10, train, OptimizerConfig())


def learn(learner: Learner) -> None:
    sum(p.sum() for p in learner.task.parameters()).backward()
    learner.optimizer.step()


def test_no_folder_starts_at_step_zero_without_a_best() -> None:
    learner = make_learner()
    assert restore_state(None, learner) == 0
    assert learner.standing.best == -float("inf")


def test_a_state_brings_back_all_that_changes(tmp_path: Path) -> None:
    learner, other = make_learner(), make_learner()
    assert learner.average
    assert other.average
    learn(learner)
    learner.average.update(1)
    learner.standing.best, learner.standing.stale, learner.standing.reductions = 0.25, 3, 1
    learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": 8.0})
    save_state(tmp_path, 7, learner)
    assert restore_state(tmp_path, other) == 7
    got = other.task.state_dict()
    assert all(torch.equal(got[key], value) for key, value in learner.task.state_dict().items())
    moments = [each.optimizer.state_dict()["state"][0]["exp_avg"] for each in (learner, other)]
    assert torch.equal(*moments)
    assert other.standing == learner.standing
    assert other.scaler.state_dict() == learner.scaler.state_dict()
    means = learner.average.state_dict(), other.average.state_dict()
    assert all(torch.equal(means[1][key], value) for key, value in means[0].items())


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    torch.save({"version": 0}, tmp_path / STATE_FILE)
    with pytest.raises(SchemaError, match="format version 0, expected 2"):
        restore_state(tmp_path, make_learner())
