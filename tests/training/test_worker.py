"""The loop inside Ray Train: begun by one process, continued by two workers, one of them killed."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace as change
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mgray.config import replace
from mgray.data.batches import Batch
from mgray.errors import MgrayError
from mgray.models.saved import load_model
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.journal import read_rows
from mgray.training.port import RAY, LocalPort, Save
from mgray.training.stages import Stage, train_stage
from mgray.training.task import Task
from mgray.training.worker import train_on_ray

pytestmark = [pytest.mark.ray, pytest.mark.slow]

INTERVAL = 2


class StoppedPort(LocalPort):
    """A run in this process that ends after its first resume state."""

    def report(self, step: int, save: Save) -> None:
        super().report(step, save)
        if step == 1:
            raise KeyboardInterrupt


def stage_three(config: FusionRun, finished: Path, out: Path, steps: int = 3) -> Stage:
    """Stage III in a folder of its own, batch norms fixed so that shares of a batch add up."""
    (out / "models").mkdir(parents=True)
    for name in ("sm", "student"):
        (out / "models" / name).symlink_to(finished / "models" / name)
    changes = {
        "out": out,
        "train.batch_norm": "eval",
        "train.workers": 2,
        "train.steps.fused": steps,
    }
    return build_stages(replace(config, {**changes, "train.cpus_per_worker": 0.5}))[4]


def marker_of(stage: Stage) -> Path:
    return stage.loop.folder / "died"


def before_forward(stage: Stage, meet: Callable[[Task, Batch], None]) -> Stage:
    """The same stage; ``meet`` is called before each forward pass, in its worker."""

    def build() -> Task:
        task = stage.build()
        forward = task.forward

        def meeting(batch: Batch, normaliser: Tensor | None = None) -> dict[str, Tensor]:
            meet(task, batch)
            return forward(batch, normaliser)

        task.forward = meeting  # type: ignore[method-assign]  # a fault put in by hand
        return task

    return change(stage, build=build)


def die_once(stage: Stage) -> None:
    """Kill this process, unless one was killed before."""
    if not marker_of(stage).exists():
        marker_of(stage).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def counted(stage: Stage, dies_at: int | None) -> Stage:
    """The same stage; each training forward pass leaves a line, and one kills its worker."""
    own: list[Batch] = []

    def note(task: Task, batch: Batch) -> None:
        if task.training:
            own.append(batch)
            with (stage.loop.folder / "forwards").open("a") as file:
                file.write(f"{batch.pair_indices}\n")
            if len(own) == dies_at:
                die_once(stage)

    return before_forward(stage, note)


def with_a_death(stage: Stage) -> Stage:
    """The same stage, but the first forward pass after Ray's first state kills its worker."""

    def note(task: Task, batch: Batch) -> None:
        if (stage.loop.folder / RAY / "step_0000002").exists():
            die_once(stage)

    return before_forward(stage, note)


@pytest.fixture(scope="module")
def shared(
    ray_cluster: None, tiny: FusionRun, finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> Stage:
    """Stage III, one step without Ray, then two workers, one of which was killed."""
    stage = stage_three(tiny, finished, tmp_path_factory.mktemp("shared"))
    with pytest.raises(KeyboardInterrupt):
        train_stage(stage, StoppedPort(stage.loop.folder))
    train_on_ray(with_a_death(stage))
    return stage


def losses(stage: Stage) -> list[tuple[int, float]]:
    rows = read_rows(stage.loop.folder / "metrics.jsonl")
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


def test_a_killed_worker_is_replaced_and_the_stage_ends(shared: Stage) -> None:
    assert marker_of(shared).exists()
    assert shared.model.is_dir()


def test_a_start_without_ray_two_workers_and_a_death_give_the_losses_of_one_process(
    shared: Stage, tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    alone = stage_three(tiny, finished, tmp_path)
    train_stage(alone, LocalPort(alone.loop.folder))
    assert [step for step, _ in losses(shared)] == [1, 2, 3]
    # two shares are summed in another order than one batch, and Adam magnifies rounding
    assert dict(losses(shared)) == pytest.approx(dict(losses(alone)), rel=1e-4)


def test_a_killed_worker_costs_one_interval_and_not_a_bit_of_the_weights(
    ray_cluster: None, tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    config = replace(tiny, {"train.checkpoint_every": INTERVAL, "train.validate_every": 100})
    ends, passes = [], []
    for name, dies_at in (("straight", None), ("killed", INTERVAL + 2)):
        stage = stage_three(config, finished, tmp_path / name, steps=INTERVAL + 3)
        train_on_ray(counted(stage, dies_at))
        assert marker_of(stage).exists() == (dies_at is not None)
        ends.append(load_model(stage.model)[0].state_dict())
        passes.append(len((stage.loop.folder / "forwards").read_text().splitlines()))
    assert all(torch.equal(ends[1][key], value) for key, value in ends[0].items())
    assert passes[0] == 2 * (INTERVAL + 3)
    assert 0 < passes[1] - passes[0] <= 2 * INTERVAL


def test_ddp_leaves_b_bit_identical(shared: Stage, finished: Path) -> None:
    b = load_model(shared.model)[0].get_submodule("trunk_b").state_dict()
    student = load_model(finished / "models" / "student")[0].get_submodule("trunk").state_dict()
    assert all(torch.equal(b[key], value) for key, value in student.items())


def test_ray_keeps_the_newest_two_states(shared: Stage) -> None:
    folders = sorted((shared.loop.folder / RAY).glob("step_*"))
    assert [folder.name for folder in folders] == ["step_0000002", "step_0000003"]


def test_what_a_worker_says_reaches_the_user_as_one_line(
    ray_cluster: None, tiny: FusionRun, finished: Path, tmp_path: Path
) -> None:
    stage = stage_three(tiny, finished, tmp_path / "run")
    feed = change(stage.feed, table=tmp_path / "nowhere")
    train = replace(stage.loop.train, {"max_failures": 0, "workers": 1})
    loop, handler = change(stage.loop, train=train), signal.getsignal(signal.SIGINT)
    with pytest.raises(MgrayError, match=r"^no image table in [^\n]*$"):
        train_on_ray(change(stage, feed=feed, loop=loop))
    assert signal.getsignal(signal.SIGINT) is handler, "Ctrl-C belongs to whoever called"


def test_a_stage_without_steps_ends_on_a_worker_as_it_does_here(
    ray_cluster: None, tiny: FusionRun, tmp_path: Path
) -> None:
    """A run on GPUs does so with ``untrained``."""
    states = []
    for name, train in (("ray", train_on_ray), ("here", in_this_process)):
        stage = build_stages(replace(tiny, {"out": tmp_path / name}))[0]
        assert (stage.name, stage.loop.steps) == ("untrained", 0)
        train(stage)
        states.append(load_model(stage.model)[0].state_dict())
    assert all(torch.equal(states[1][key], value) for key, value in states[0].items())


def in_this_process(stage: Stage) -> None:
    train_stage(stage, LocalPort(stage.loop.folder))
