"""The one loop of every stage, recipe and paper; the same in plain Python and inside Ray Train."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mgray.data.batches import Batch
from mgray.training.checkpoint import restore_state, save_state
from mgray.training.collective import average_statistics
from mgray.training.config import OptimizerConfig, TrainConfig
from mgray.training.feed import Feed
from mgray.training.meter import Meter
from mgray.training.optimizer import build_optimizer, learning_rate
from mgray.training.port import Port
from mgray.training.task import Task

BEST_FILE: Final = "best.pt"


@dataclass(frozen=True)
class LoopConfig:
    """What the loop needs to know of a stage: its length, its folder, how it trains."""

    steps: int
    seed: int
    folder: Path
    train: TrainConfig
    optimizer: OptimizerConfig


def fit(task: Task, feed: Feed, port: Port, config: LoopConfig) -> None:
    """Train a task to its last step, from wherever an earlier attempt stopped.

    Args:
        task: On the port's device; changed in place, worker 0's ends with the weights to keep.
        feed: Batches of this worker.
        port: Whoever runs the loop.
        config: Its ``folder`` receives metrics and, if asked for, the best weights.
    """
    train, optimizer = config.train, build_optimizer(task, config.optimizer)
    start, best = restore_state(port.resume(), task, optimizer)
    model, batches = port.wrap(task), feed.batches(start)
    meter = Meter(config.folder, port, start, train.log_every, feed.images_per_step)
    for step in range(start, config.steps + 1):
        last, new = step == config.steps, step > start or start == 0
        validates = new and (last or step % train.validate_every == 0)
        saves = step > start and (last or step % train.checkpoint_every == 0)
        if validates or saves:
            average_statistics(task)
        if validates:
            loss = meter.validated(step, validate(task, feed, train))
            if loss < best and port.rank == 0:
                torch.save(task.live_state(), config.folder / BEST_FILE)
            best = min(best, loss)
        if saves:
            save = partial(save_state, step=step, task=task, optimizer=optimizer, best=best)
            port.report(step, save)
        if not last:
            torch.manual_seed((config.seed + step) * port.world + port.rank)  # for drop path
            rate = learning_rate(step, config.steps, config.optimizer)
            losses = train_step(model, next(batches), optimizer, rate, config)
            meter.trained(step + 1, losses, rate)
    if train.keep == "best" and port.rank == 0 and best < math.inf:
        task.load_live_state(torch.load(config.folder / BEST_FILE, weights_only=True))


def train_step(
    model: nn.Module, batch: Batch, optimizer: Optimizer, rate: float, config: LoopConfig
) -> dict[str, Tensor]:
    """Forward, backward, clip, step; return the losses of this worker's share."""
    with torch.autocast(batch.positive.device.type, torch.bfloat16, enabled=config.train.amp):
        losses: dict[str, Tensor] = model(batch)
    optimizer.zero_grad()
    losses["loss"].backward()  # type: ignore[no-untyped-call]  # Torch has no types here
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = nn.utils.clip_grad_norm_(trained, config.optimizer.clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return {**losses, "gradient_norm": norm}


@torch.no_grad()
def validate(task: Task, feed: Feed, train: TrainConfig) -> tuple[dict[str, float], int]:
    """Sum the losses of this worker's share of the validation pairs.

    All workers have equal shares of each batch and one normaliser, so that the mean over all shares
    does not depend on their number.

    Returns:
        Sums by name and the number of batches they are over.
    """
    task.eval()
    sums: dict[str, float] = {}
    count = 0
    for batch in feed.validation():
        with torch.autocast(batch.positive.device.type, torch.bfloat16, enabled=train.amp):
            losses: dict[str, Tensor] = task(batch)
        count += 1
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + float(loss)
    task.train()
    return sums, count
