"""The loop: resume, validation, best weights, what it refuses."""

from collections.abc import Iterator
from dataclasses import replace as change
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mgray.config import replace
from mgray.data.batches import Batch
from mgray.errors import DataError
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.feed import Feed, build_feed
from mgray.training.journal import read_rows
from mgray.training.loop import BEST_FILE, fit
from mgray.training.port import LocalPort, Save
from mgray.training.stages import Stage
from mgray.training.task import Task


class DyingPort(LocalPort):
    """Kills the run right after it kept its first resume state."""

    def report(self, step: int, save: Save) -> None:
        super().report(step, save)
        raise KeyboardInterrupt


class StoppedFeed(Feed):
    """Gives out one batch, then the machine dies."""

    def batches(self, start: int) -> Iterator[Batch]:
        yield next(super().batches(start))
        raise KeyboardInterrupt


def build_stage(tiny: FusionRun, out: Path, **changes: object) -> Stage:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    stages = build_stages(replace(tiny, {"out": out, **dotted}))
    return next(stage for stage in stages if stage.name == "sm")


def start(stage: Stage, port: LocalPort) -> Task:
    """Build as ``train_stage`` does, run the loop, return the task."""
    torch.manual_seed(0)
    task = stage.build().train()
    fit(task, build_feed(stage.feed, port), port, stage.loop)
    return task


def rows(stage: Stage) -> list[dict[str, Any]]:
    return read_rows(stage.loop.folder / "metrics.jsonl")


def test_an_interrupted_stage_ends_with_the_same_bits(tiny: FusionRun, tmp_path: Path) -> None:
    straight = build_stage(tiny, tmp_path / "straight", train__steps__sm=3)
    broken = build_stage(tiny, tmp_path / "broken", train__steps__sm=3)
    wanted = start(straight, LocalPort(straight.loop.folder)).state_dict()
    with pytest.raises(KeyboardInterrupt):
        start(broken, DyingPort(broken.loop.folder))
    torch.manual_seed(99)  # nothing may depend on what came before
    got = start(broken, LocalPort(broken.loop.folder)).state_dict()
    assert all(torch.equal(got[key], value) for key, value in wanted.items())
    steps = [row["step"] for row in rows(broken)]
    assert steps == [row["step"] for row in rows(straight)]


def test_a_row_written_after_the_last_state_is_not_kept_twice(
    tiny: FusionRun, tmp_path: Path
) -> None:
    stage = build_stage(tiny, tmp_path)
    port = LocalPort(stage.loop.folder)
    whole = build_feed(stage.feed, port)
    feed = StoppedFeed(whole.table, [*whole.train, *whole.val], stage.feed, port)
    with pytest.raises(KeyboardInterrupt):
        fit(stage.build().train(), feed, port, stage.loop)
    start(stage, port)
    assert [row["step"] for row in rows(stage) if "loss" in row] == [1, 2]


def test_validation_comes_before_the_first_and_after_the_last_step(
    tiny: FusionRun, tmp_path: Path
) -> None:
    stage = build_stage(tiny, tmp_path, train__steps__sm=3, train__validate_every=100)
    start(stage, LocalPort(stage.loop.folder))
    assert [row["step"] for row in rows(stage) if "val_loss" in row] == [0, 3]


def test_the_best_weights_are_kept_if_asked_for(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(
        tiny, tmp_path, train__keep="best", train__validate_every=1, optimizer__learning_rate=10.0
    )
    port = LocalPort(stage.loop.folder)
    torch.manual_seed(0)
    initial = {key: value.clone() for key, value in stage.build().state_dict().items()}
    task = start(stage, port)
    losses = [row["val_loss"] for row in rows(stage) if "val_loss" in row]
    assert losses[0] == min(losses)
    assert all(torch.equal(task.state_dict()[key], value) for key, value in initial.items())


def test_a_table_without_validation_pairs_trains_all_the_same(
    tiny: FusionRun, tmp_path: Path
) -> None:
    stage = build_stage(tiny, tmp_path, train__keep="best")
    port = LocalPort(stage.loop.folder)
    feed = build_feed(stage.feed, port)
    feed.val = []
    fit(stage.build().train(), feed, port, stage.loop)
    assert [row["step"] for row in rows(stage)] == [1, 2]
    assert not (stage.loop.folder / BEST_FILE).exists()


def test_a_loss_that_is_not_finite_ends_the_stage(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(tiny, tmp_path)
    port = LocalPort(stage.loop.folder)
    task = stage.build().train()
    with torch.no_grad():
        next(task.parameters()).fill_(float("nan"))
    with pytest.raises(DataError, match=r"loss is nan at step 1: lower optimizer\.learning_rate"):
        fit(task, build_feed(stage.feed, port), port, stage.loop)


def test_the_gradient_is_clipped_but_reported_whole(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(tiny, tmp_path, optimizer__clip_norm=1e-3)
    task = start(stage, LocalPort(stage.loop.folder))
    gradients = [p.grad for p in task.parameters() if p.grad is not None]
    assert nn.utils.get_total_norm(gradients) == pytest.approx(1e-3, rel=1e-3)
    assert rows(stage)[-2]["gradient_norm"] > 1


def test_autocast_trains_with_finite_losses(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(tiny, tmp_path, train__amp=True, train__steps__sm=1)
    task = start(stage, LocalPort(stage.loop.folder))
    assert all(p.dtype == torch.float32 for p in task.parameters())


def test_a_stage_of_no_steps_only_validates(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(tiny, tmp_path)
    stage = change(stage, loop=change(stage.loop, steps=0))
    start(stage, LocalPort(stage.loop.folder))
    assert [set(row) >= {"step", "val_loss"} for row in rows(stage)] == [True]
