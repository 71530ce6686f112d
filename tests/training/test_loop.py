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
from mgray.training.checkpoint import BEST_FILE
from mgray.training.feed import Feed, build_feed
from mgray.training.journal import read_rows
from mgray.training.loop import STOP_FILE, drop_path_seed, fit
from mgray.training.port import LocalPort, Save, state_name
from mgray.training.stages import Stage
from mgray.training.task import Task
from mgray.training.validation import build_validation

STILL = {
    "train__batch_norm": "eval",
    "train__steps__sm": 3,
    "optimizer__learning_rate": 1.5e-4,
}
ODD = {"batches__global_batch_size": 3}
"""Two workers have unequal shares, of two and of one image."""


def test_neither_seeds_nor_steps_nor_workers_share_draws() -> None:
    """Seed 1 is not seed 0 a step later."""
    some = range(8)
    seeds = {drop_path_seed(seed, step, rank) for seed in some for step in some for rank in some}
    assert len(seeds) == 8**3
    torch.manual_seed(max(seeds))


class DyingPort(LocalPort):
    """Kills the run right after it kept its first resume state."""

    def report(self, step: int, save: Save) -> None:
        super().report(step, save)
        raise KeyboardInterrupt


class AskedPort(LocalPort):
    """Somebody asks for the stage's end while it keeps the state of step 3."""

    def report(self, step: int, save: Save) -> None:
        super().report(step, save)
        if step == 3:
            (self.stage / STOP_FILE).touch()


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


class AskedGloo(Gloo):
    """Somebody asks for the stage's end while it keeps the state of step 3."""

    def report(self, step: int, save: Save) -> None:
        super().report(step, save)
        if step == 3:
            (self.stage / STOP_FILE).touch()


def work(rank: int, straight: Stage, broken: Stage, parts: Stage, asked: Stage, store: str) -> None:
    """Run a stage twice, the second time in two attempts; write down what each rank ends with.

    Run a third one, whose batches are cut into parts, and one that is asked to end.
    """
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    ports = {stage.loop.folder: Gloo(stage.loop.folder, rank) for stage in (straight, broken)}
    ports[asked.loop.folder] = AskedGloo(asked.loop.folder, rank)
    with suppress(KeyboardInterrupt):
        start(broken, DyingGloo(broken.loop.folder, rank))
    for stage in (straight, broken, asked):
        task = start(stage, ports[stage.loop.folder])
        distributed.barrier()
        torch.save(task.state_dict(), stage.loop.folder / f"rank_{rank}.pt")
    start(parts, Gloo(parts.loop.folder, rank))
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_workers(tiny: FusionRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, ...]:
    """A stage by two workers whose batch norms learn; once undisturbed, once interrupted.

    And one whose batch norms stand still and whose batches are cut into parts; and one that is
    asked to end between two validations.
    """
    out = tmp_path_factory.mktemp("two")
    straight, broken = (
        build_stage(tiny, out / name, train__steps__sm=3, train__judge="fauc_1")
        for name in ("straight", "broken")
    )
    parts = build_stage(tiny, out / "parts", **STILL, **ODD, optimizer__accumulate=2)
    asked = build_stage(
        tiny, out / "asked", train__steps__sm=9, train__log_every=2, train__validate_every=9
    )
    multiprocessing.spawn(work, (straight, broken, parts, asked, str(out / "store")), nprocs=2)
    return straight, broken, parts, asked


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


def test_a_stage_ends_early_and_stays_so(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(
        tiny, tmp_path, train__patience=1, train__validate_every=1, train__keep="best",
        train__steps__sm=9, optimizer__learning_rate=10.0,
    )  # fmt: skip
    port = LocalPort(stage.loop.folder)
    ended = start(stage, port).state_dict()
    last = rows(stage)[-1]["step"]
    assert last < 9
    assert port.resume() == port.folder / f"step_{last:07d}"
    again = start(stage, port).state_dict()
    assert rows(stage)[-1]["step"] == last
    assert all(torch.equal(again[key], value) for key, value in ended.items())


def test_a_stage_that_is_asked_to_stop_saves_what_it_has_at_the_next_row_of_metrics(
    tiny: FusionRun, tmp_path: Path
) -> None:
    stage = build_stage(tiny, tmp_path, train__steps__sm=9, train__log_every=2)
    port = AskedPort(stage.loop.folder)
    start(stage, port)
    assert rows(stage)[-1]["step"] == 4
    assert (port.resume() or tmp_path).name == state_name(4)
    start(stage, port)
    assert rows(stage)[-1]["step"] == 4


def test_a_plateau_lowers_the_rate_where_validation_stands_still(
    tiny: FusionRun, tmp_path: Path
) -> None:
    stage = build_stage(
        tiny, tmp_path, train__validate_every=1, train__steps__sm=3, optimizer__warmup_steps=0,
        optimizer__learning_rate=10.0, optimizer__schedule="plateau",
        optimizer__plateau_patience=0,
    )  # fmt: skip
    start(stage, LocalPort(stage.loop.folder))
    rates = [row["learning_rate"] for row in rows(stage) if "loss" in row]
    losses = [row["val_loss"] for row in rows(stage) if "val_loss" in row]
    assert losses[1] > losses[0]
    assert rates[:2] == [10.0, pytest.approx(1.0)]


def test_an_averaged_stage_resumes_bit_for_bit_and_saves_what_it_judged(
    tiny: FusionRun, tmp_path: Path
) -> None:
    changes = {"train__average__kind": "ema", "train__average__statistics_steps": 2}
    straight, broken = (
        build_stage(tiny, tmp_path / name, **changes) for name in ("straight", "broken")
    )
    task = start(straight, LocalPort(straight.loop.folder))
    with pytest.raises(KeyboardInterrupt):
        start(broken, DyingPort(broken.loop.folder))
    got = start(broken, LocalPort(broken.loop.folder)).state_dict()
    assert all(torch.equal(got[key], value) for key, value in task.state_dict().items())
    feed = build_feed(straight.feed, LocalPort(tmp_path))
    loop = straight.loop
    means = build_validation(task, feed, LocalPort(tmp_path), loop.train, loop.postprocess)()
    assert rows(straight)[-1]["val_loss"] == pytest.approx(means["loss"], abs=1e-8)


def test_tensorboard_has_a_file_if_asked_for(tiny: FusionRun, tmp_path: Path) -> None:
    stage = build_stage(tiny, tmp_path, train__tensorboard=True, train__steps__sm=1)
    start(stage, LocalPort(stage.loop.folder))
    assert list((stage.loop.folder / "tensorboard").iterdir())


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


def test_two_workers_end_with_the_same_statistics(two_workers: tuple[Stage, ...]) -> None:
    first, second = ends(two_workers[0])
    assert all(torch.equal(second[key], value) for key, value in first.items())


def test_two_workers_that_are_asked_to_end_do_so_with_the_same_statistics(
    two_workers: tuple[Stage, ...],
) -> None:
    asked = two_workers[3]
    assert rows(asked)[-1]["step"] == 4
    first, second = ends(asked)
    assert all(torch.equal(second[key], value) for key, value in first.items())


def test_two_workers_resume_as_if_undisturbed(two_workers: tuple[Stage, ...]) -> None:
    straight, broken, *_ = two_workers
    assert val_losses(broken) == val_losses(straight)
    for wanted, got in zip(ends(straight), ends(broken), strict=True):
        assert all(torch.equal(got[key], value) for key, value in wanted.items())


def test_validation_does_not_depend_on_the_number_of_workers(
    two_workers: tuple[Stage, ...], tiny: FusionRun, tmp_path: Path
) -> None:
    alone = build_stage(tiny, tmp_path, train__steps__sm=1, train__judge="fauc_1")
    start(alone, LocalPort(alone.loop.folder))
    shared, single = rows(two_workers[0])[0], rows(alone)[0]
    assert shared.keys() >= {"val_loss", "val_fauc_1", "val_fauc_1_plus"}
    assert shared == pytest.approx(single, rel=1e-5)


def test_two_workers_have_the_losses_of_one_with_the_doubled_batch(
    two_workers: tuple[Stage, ...], tiny: FusionRun, tmp_path: Path
) -> None:
    alone = build_stage(tiny, tmp_path, **STILL, **ODD)
    start(alone, LocalPort(alone.loop.folder))
    shared, single = (
        [row for row in rows(stage) if "loss" in row] for stage in (two_workers[2], alone)
    )
    assert len(shared) == 3
    norms = [curve[0]["gradient_norm"] for curve in (shared, single)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)
    # sums in another order; where a gradient is nearly 0, Adam's first steps magnify its rounding
    losses = [[row["loss"] for row in curve] for curve in (shared, single)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
