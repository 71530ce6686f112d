"""The loop: resume, validation, best weights, what it refuses."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace as change
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

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


class Gloo(LocalPort):
    """One of two workers without Ray."""

    world = 2

    def __init__(self, folder: Path, rank: int) -> None:
        super().__init__(folder)
        self.rank = rank

    def wrap(self, task: Task) -> nn.Module:
        return DistributedDataParallel(task, broadcast_buffers=False)

    def report(self, step: int, save: Save) -> None:
        if self.rank == 0:
            super().report(step, save)
        distributed.barrier()


class DyingGloo(Gloo):
    """A worker of a run that stops after its first resume state."""

    def report(self, step: int, save: Save) -> None:
        super().report(step, save)
        raise KeyboardInterrupt


def work(rank: int, straight: Stage, broken: Stage, store: str) -> None:
    """Run a stage twice, the second time in two attempts; write down what each rank ends with."""
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    ports = {stage.loop.folder: Gloo(stage.loop.folder, rank) for stage in (straight, broken)}
    with suppress(KeyboardInterrupt):
        start(broken, DyingGloo(broken.loop.folder, rank))
    for stage in (straight, broken):
        task = start(stage, ports[stage.loop.folder])
        distributed.barrier()
        torch.save(task.state_dict(), stage.loop.folder / f"rank_{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_workers(tiny: FusionRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Stage]:
    """A stage by two workers whose batch norms learn; once undisturbed, once interrupted."""
    out = tmp_path_factory.mktemp("two")
    straight, broken = (
        build_stage(tiny, out / name, train__steps__sm=3) for name in ("straight", "broken")
    )
    multiprocessing.spawn(work, (straight, broken, str(out / "store")), nprocs=2)
    return straight, broken


def ends(stage: Stage) -> list[dict[str, torch.Tensor]]:
    return [torch.load(stage.loop.folder / f"rank_{rank}.pt") for rank in (0, 1)]


def val_losses(stage: Stage) -> list[float]:
    return [row["val_loss"] for row in rows(stage) if "val_loss" in row]


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
    stage = build_stage(tiny, tmp_path, train__precision="bfloat16", train__steps__sm=1)
    task = start(stage, LocalPort(stage.loop.folder))
    assert all(p.dtype == torch.float32 for p in task.parameters())


def test_a_stage_of_no_steps_only_validates(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(tiny, tmp_path)
    stage = change(stage, loop=change(stage.loop, steps=0))
    start(stage, LocalPort(stage.loop.folder))
    assert [set(row) >= {"step", "val_loss"} for row in rows(stage)] == [True]


def test_two_workers_end_with_the_same_statistics(two_workers: tuple[Stage, Stage]) -> None:
    first, second = ends(two_workers[0])
    assert all(torch.equal(second[key], value) for key, value in first.items())


def test_two_workers_resume_as_if_undisturbed(two_workers: tuple[Stage, Stage]) -> None:
    straight, broken = two_workers
    assert val_losses(broken) == val_losses(straight)
    for wanted, got in zip(ends(straight), ends(broken), strict=True):
        assert all(torch.equal(got[key], value) for key, value in wanted.items())


def test_the_validation_loss_does_not_depend_on_the_number_of_workers(
    two_workers: tuple[Stage, Stage], tiny: FusionRun, tmp_path: Path
) -> None:
    alone = build_stage(tiny, tmp_path, train__steps__sm=1)
    start(alone, LocalPort(alone.loop.folder))
    assert val_losses(two_workers[0])[0] == pytest.approx(val_losses(alone)[0], rel=1e-5)
