"""A run folder: what is skipped, refused and written down."""

import json
import logging
from pathlib import Path

import pytest

from mgray.config import load_yaml, replace
from mgray.errors import ConfigError
from mgray.models.folder import read_meta
from mgray.recipes.fusion import TRAINED, FusionRun, build_stages, run_fusion
from mgray.training import run
from mgray.training.run import claim, claim_data, git_commit, run_stages


def test_finished_stages_are_not_trained_again(
    tiny: FusionRun, finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = {path: path.stat().st_mtime_ns for path in (finished / "models").rglob("*")}
    run_fusion(replace(tiny, {"out": finished}))
    assert "stage 6/6 upper_bound: done already" in caplog.text
    assert before == {path: path.stat().st_mtime_ns for path in (finished / "models").rglob("*")}


def test_the_run_is_written_down(finished: Path) -> None:
    record = json.loads((finished / "run.json").read_text())
    assert list(record["stages"]) == ["untrained", *TRAINED]
    assert record["stages"]["sm"]["steps"] == 2
    assert record["seed"] == 0
    assert len(record["data"]) == 64
    assert len(record["commit"]) == len(git_commit() or "") == 40
    assert record["versions"]["torch"].startswith("2.")


def test_the_resolved_config_reads_back(tiny: FusionRun, finished: Path) -> None:
    config = load_yaml(FusionRun, finished / "config.resolved.yaml")
    assert config == replace(tiny, {"out": finished})


def test_another_config_may_not_use_the_folder(tiny: FusionRun, tmp_path: Path) -> None:
    claim(tmp_path, tiny)
    with pytest.raises(ConfigError, match=r"loss\.alpha_positive=0\.9, not 0\.5: give another"):
        claim(tmp_path, replace(tiny, {"loss.alpha_positive": 0.5}))


def test_a_run_may_move_to_other_machines(tiny: FusionRun, tmp_path: Path) -> None:
    claim(tmp_path, tiny)
    claim(tmp_path, replace(tiny, {"data": tmp_path, "train.workers": 2, "train.threads": 4}))


def test_learning_curves_are_written_for_every_stage(finished: Path) -> None:
    for name in TRAINED:
        head = (finished / "stages" / name / "metrics.csv").read_text().split("\n")[0]
        assert {"step", "loss", "val_loss", "learning_rate"} <= set(head.split(","))
    student = (finished / "stages" / "student" / "metrics.csv").read_text()
    assert "val_similarity" in student.split("\n")[0]


def test_a_run_keeps_to_the_rows_that_it_began_with(tiny: FusionRun, tmp_path: Path) -> None:
    assert claim_data(tmp_path, tiny, "a")["data"] == "a"
    assert claim_data(tmp_path, tiny, "a")["data"] == "a"
    with pytest.raises(ConfigError, match="an image table with other rows: give another out=DIR"):
        claim_data(tmp_path, tiny, "b")


@pytest.mark.parametrize(("gpu", "on_ray"), [(False, False), (True, True)])
def test_a_stage_without_steps_needs_no_worker_but_for_its_gpu(
    tiny: FusionRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool, on_ray: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(run, "run_stage", lambda stage, use_ray: asked.append(use_ray))
    config = replace(tiny, {"out": tmp_path, "train.gpu": gpu})
    run_stages(build_stages(config)[:1], config, tmp_path, "rows", use_ray=True)
    assert asked == [on_ray]


def test_a_model_tells_the_steps_that_were_trained(tiny: FusionRun, tmp_path: Path) -> None:
    (tmp_path / "stages" / "sm").mkdir(parents=True)
    (tmp_path / "stages" / "sm" / "stop").touch()
    run_fusion(replace(tiny, {"out": tmp_path, "train.log_every": 1}), stages=("sm",))
    steps = json.loads((tmp_path / "run.json").read_text())["stages"]["sm"]["steps"]
    assert steps < tiny.train.steps["sm"]
    assert read_meta(tmp_path / "models" / "sm").notes["steps"] == str(steps)
