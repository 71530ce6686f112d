"""Build, fit, export: one stage in this process."""

from pathlib import Path

import torch

from mgray.config import replace
from mgray.models.saved import load_model
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.port import LocalPort
from mgray.training.stages import train_stage


def test_a_stage_saves_its_model_and_leaves_the_random_state_alone(
    tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    stage = build_stages(replace(tiny, {"out": tmp_path}))[1]
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    train_stage(stage, LocalPort(stage.loop.folder))
    assert torch.equal(torch.rand(1), wanted)
    assert stage.model == tmp_path / "models" / "sm"
    again, before = load_model(stage.model)[0], load_model(finished / "models" / "sm")[0]
    assert all(torch.equal(again.state_dict()[k], v) for k, v in before.state_dict().items())


def test_other_workers_save_nothing(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stages(replace(tiny, {"out": tmp_path}))[0]
    port = LocalPort(stage.loop.folder)
    port.rank, port.world = 1, 2
    train_stage(stage, port)
    assert not stage.model.exists()
