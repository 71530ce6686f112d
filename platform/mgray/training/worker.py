"""The loop inside Ray Train: the only module of training that knows Ray."""

import math
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import ray.train
from ray.train import Checkpoint, CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer, get_device, prepare_model
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.util.metrics import Gauge
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mgray.cluster import handler_kept, start_ray
from mgray.errors import MgrayError
from mgray.training.collective import as_worker_0_says
from mgray.training.config import TrainConfig
from mgray.training.port import KEEP, LOCAL, RAY, Save, newest_state, state_name
from mgray.training.stages import Stage, train_stage
from mgray.training.task import Task

POLLED: Final = ("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
"""How often Ray Train looks at its workers; at its own 2 s each stage ends two seconds late."""


class RayPort:
    """What the loop asks, answered by Ray Train; exists inside a worker only.

    Args:
        stage: Stage folder, which all workers share; Ray keeps the resume states in it.
    """

    def __init__(self, stage: Path) -> None:
        self.stage = stage
        context = ray.train.get_context()
        self.rank, self.world = context.get_world_rank(), context.get_world_size()
        self.device = get_device()
        self.gauges: dict[str, Gauge] = {}

    def resume(self) -> Path | None:
        """Return the newest state of the stage, which Ray or a run without it left.

        Ray learns of a state a moment after it was stored, so its folder is looked at, too. Worker
        0 decides for all.
        """
        own, found = ray.train.get_checkpoint(), newest_state(self.stage, LOCAL, RAY)
        states = [Path(own.path)] if own else []
        newest = max([*states, *([found] if found else [])], key=lambda s: s.name, default=None)
        return as_worker_0_says(newest)

    def wrap(self, task: Task) -> nn.Module:
        """Return the task under DDP, which neither sees nor touches its frozen parts."""
        ignore = DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
        ignore(task, task.frozen_names())  # type: ignore[no-untyped-call]  # Torch has no types here
        model: nn.Module = prepare_model(
            task, parallel_strategy_kwargs={"broadcast_buffers": False}
        )
        return model

    def report(self, step: int, save: Save) -> None:
        """Hand worker 0's state to Ray, which stores it and counts the others in."""
        with TemporaryDirectory() as folder:
            checkpoint = None
            if self.rank == 0:
                save(Path(folder))
                checkpoint = Checkpoint.from_directory(folder)
            ray.train.report({"step": step}, checkpoint, checkpoint_dir_name=state_name(step))

    def publish(self, row: Mapping[str, float | int]) -> None:
        """Show metrics in Ray's dashboard, as gauges ``mgray_train_...`` of each run and stage."""
        tags = {"stage": self.stage.name, "run": self.stage.parents[1].name}
        for name, value in row.items():
            told = f"mgray_train_{name}"
            if told not in self.gauges:
                self.gauges[told] = Gauge(told, f"{name} of a stage", tag_keys=tuple(tags))
            self.gauges[told].set(value, tags)


class Trainer(TorchTrainer):
    """Ray's, without the detached actor that watches over its placement group.

    Ray removes a group with the actor that made it. The watcher of 2.60 is there in case it does
    not, but does not end: each driver that was killed left one more idle process on the cluster.
    ``tests/tune/test_cluster.py`` looks that nothing is left without it.
    """

    def _create_default_callbacks(self) -> list[Any]:
        made = super()._create_default_callbacks()  # type: ignore[misc]  # Ray's own types are V1's
        return [one for one in made if not isinstance(one, PlacementGroupCleanerCallback)]


def train_on_ray(stage: Stage) -> None:
    """Run a stage on Ray Train, continuing an earlier attempt of the same stage folder.

    Raises:
        MgrayError: What a worker said, or that workers failed more often than allowed.
    """
    train = stage.loop.train
    os.environ.setdefault(*POLLED)
    start_ray(cpus_of(train))
    trainer = Trainer(
        lambda: train_stage(stage, RayPort(stage.loop.folder)),
        torch_config=TorchConfig(backend="nccl" if train.gpu else "gloo"),
        scaling_config=_scaling(train),
        run_config=RunConfig(
            name=RAY,
            storage_path=str(stage.loop.folder.resolve()),
            failure_config=FailureConfig(max_failures=train.max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=KEEP),
        ),
    )
    try:
        with handler_kept(signal.SIGINT):  # Ray Train's ends a run that is already over
            trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise _one_line(stage, error) from error


def cpus_of(train: TrainConfig) -> int:
    """CPUs that all workers of a stage take together, in whole ones."""
    return math.ceil(train.workers * train.cpus_per_worker)


def _scaling(train: TrainConfig) -> ScalingConfig:
    number = (train.min_workers, train.workers) if train.min_workers else train.workers
    return ScalingConfig(
        num_workers=number,  # type: ignore[arg-type]  # declared for Ray's older class
        use_gpu=train.gpu,
        resources_per_worker={"CPU": train.cpus_per_worker} | ({"GPU": 1} if train.gpu else {}),
    )


def _one_line(stage: Stage, error: BaseException) -> MgrayError:
    for cause in _causes(error):
        if isinstance(cause, MgrayError):
            return cause
    last = str(error).strip().splitlines()[-1]
    return MgrayError(
        f"stage {stage.name} failed after {stage.loop.train.max_failures} restarts: {last}"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    yield error
    inner = [
        *getattr(error, "worker_failures", {}).values(),
        getattr(error, "_base_exc", None),
        error.__cause__,
    ]
    for cause in inner:
        if isinstance(cause, BaseException):
            yield from _causes(cause)
