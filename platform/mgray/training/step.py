"""One optimizer step: forward, backward, clip, update; in parts, in low precision."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from mgray.data.batches import Batch
from mgray.training.average import Average
from mgray.training.config import OptimizerConfig, TrainConfig
from mgray.training.optimizer import build_optimizer
from mgray.training.schedule import Standing
from mgray.training.task import Task

DTYPES: Final = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class Learner:
    """A task and all that changes while it learns: what a resume state holds."""

    task: Task
    optimizer: Optimizer
    scaler: GradScaler
    standing: Standing
    average: Average | None


def build_learner(
    task: Task, steps: int, train: TrainConfig, optimizer: OptimizerConfig
) -> Learner:
    """Make a task ready to learn for so many steps; its memory order may change."""
    if train.channels_last:
        task.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub lacks it
    if train.compile != "no":
        for network in task.networks():
            network.compile(backend=train.compile)
    device = next(task.parameters()).device.type
    return Learner(
        task,
        build_optimizer(task, optimizer),
        GradScaler(device, enabled=train.precision == "float16"),
        Standing(),
        Average(task, train.average, steps) if train.average.kind != "none" else None,
    )


def autocast(train: TrainConfig, device: torch.device) -> torch.autocast:
    """The precision of forward passes."""
    low = train.precision != "float32"
    return torch.autocast(device.type, DTYPES[train.precision] if low else None, enabled=low)


def train_step(
    model: nn.Module, batch: Batch, learner: Learner, rate: float, config: OptimizerConfig
) -> dict[str, Tensor]:
    """Forward, backward, clip, step.

    Args:
        model: The learner's task, or what wraps it.
        batch: This worker's share.
        learner: Changed in place.
        rate: Learning rate of this step.
        config: Clipping and accumulation.

    Returns:
        The losses of this worker's share, and ``gradient_norm`` before clipping.
    """
    optimizer, scaler = learner.optimizer, learner.scaler
    optimizer.zero_grad()
    losses = _accumulate(model, batch, learner, config.accumulate)
    scaler.unscale_(optimizer)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = nn.utils.clip_grad_norm_(trained, config.clip_norm or math.inf)
    for group in optimizer.param_groups:
        group["lr"] = rate
    scaler.step(optimizer)
    scaler.update()
    return {**losses, "gradient_norm": norm}


def _accumulate(model: nn.Module, batch: Batch, learner: Learner, number: int) -> dict[str, Tensor]:
    """Sum losses and gradients over parts of a batch; workers exchange gradients at the last."""
    task, device = learner.task, batch.positive.device
    parts = split(batch, number)
    whole = task.normaliser(batch) if number > 1 else None  # all workers ask, or none
    total: dict[str, Tensor] = {}
    for place, part in enumerate(parts, start=1):
        with _unreduced(model) if place < len(parts) else nullcontext():
            with autocast(task.config, device):
                losses: Mapping[str, Tensor] = model(part, whole)
            torch.autograd.backward(learner.scaler.scale(losses["loss"]))
        total = {name: loss.detach() + total.get(name, 0) for name, loss in losses.items()}
    return total


def _unreduced(model: nn.Module) -> AbstractContextManager[None]:
    """Leave out the exchange of gradients."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


def split(batch: Batch, number: int) -> list[Batch]:
    """Cut a batch into so many parts of nearly equal size, or into its images if it has fewer."""
    size = len(batch.positive)
    parts = torch.arange(size).chunk(min(number, size))
    return [_cut(batch, slice(int(part[0]), int(part[-1]) + 1)) for part in parts]


def _cut(batch: Batch, part: slice) -> Batch:
    def cut(value: Any) -> Any:
        return {k: v[part] for k, v in value.items()} if isinstance(value, dict) else value[part]

    return replace(batch, **{f.name: cut(getattr(batch, f.name)) for f in fields(batch)})
