"""The one loop of every stage, recipe and paper; the same in plain Python and inside Ray Train."""

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch

from mgray.models.config import PostprocessConfig
from mgray.training.checkpoint import load_best, restore_state, save_best, save_state
from mgray.training.collective import as_worker_0_says, average_statistics
from mgray.training.config import OptimizerConfig, TrainConfig
from mgray.training.feed import Feed
from mgray.training.meter import Meter
from mgray.training.port import Port
from mgray.training.schedule import learning_rate
from mgray.training.step import Learner, build_learner, train_step
from mgray.training.task import Task
from mgray.training.validation import build_validation

STOP_FILE: Final = "stop"
"""A file of this name in its folder asks a stage to end at the next row of metrics, with its model
saved: a search ends a trial so. Nothing is killed, so nothing is left behind (ray#54305)."""


@dataclass(frozen=True)
class LoopConfig:
    """What the loop needs to know of a stage: its length, its folder, how it trains."""

    steps: int
    seed: int
    folder: Path
    train: TrainConfig
    optimizer: OptimizerConfig
    postprocess: PostprocessConfig


def fit(task: Task, feed: Feed, port: Port, config: LoopConfig) -> None:
    """Train a task to its last step, from wherever an earlier attempt stopped.

    Args:
        task: On the port's device; changed in place, worker 0's ends with the weights to keep.
        feed: Batches of this worker.
        port: Whoever runs the loop.
        config: Its ``folder`` receives metrics and, if asked for, the best weights.
    """
    train, optimizer = config.train, config.optimizer
    learner = build_learner(task, config.steps, train, optimizer)
    standing, start = learner.standing, restore_state(port.resume(), learner)
    model, batches = port.wrap(task), feed.batches(start)
    validate = build_validation(task, feed, port, train, config.postprocess)
    meter = Meter(config.folder, port, start, train, feed.images_per_step)
    for step in range(start, config.steps + 1):
        last, new = step == config.steps, step > start or start == 0
        asked = not last and step % train.log_every == 0 and _asked_to_stop(config)
        validates = new and (last or step % train.validate_every == 0)
        saves = step > start and (last or asked or step % train.checkpoint_every == 0)
        if validates or saves:
            average_statistics(task)
        if validates:
            begun = time.monotonic()
            with _mean_weights(learner, feed, config):
                means = validate()
                meter.validated(step, means, time.monotonic() - begun)
                score = validate.score(means)
                if score is not None and standing.judge(score, optimizer) and port.rank == 0:
                    save_best(task, config.folder)
        last |= asked or (train.patience is not None and standing.stale >= train.patience)
        if saves or (last and step > start):
            meter.flush()
            port.report(step, partial(save_state, step=step, learner=learner))
        if last:
            break
        torch.manual_seed(drop_path_seed(config.seed, step, port.rank))
        rate = learning_rate(step, config.steps, optimizer, standing.reductions)
        batch = meter.next_of(batches)
        meter.trained(step + 1, train_step(model, batch, learner, rate, optimizer), rate)
        if learner.average:
            learner.average.update(step + 1)
    meter.close()
    _keep(learner, feed, port, config)


def drop_path_seed(seed: int, step: int, rank: int) -> int:
    """What a step's draws depend on; no two of seed, step and rank share them."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0])


def _asked_to_stop(config: LoopConfig) -> bool:
    return as_worker_0_says((config.folder / STOP_FILE).exists())


def _mean_weights(learner: Learner, feed: Feed, config: LoopConfig) -> AbstractContextManager[None]:
    """Lend the averaged weights to the task, if there are any yet."""
    if learner.average is None or not learner.average.begun:
        return nullcontext()
    return learner.average.applied(islice(feed.batches(0), config.train.average.statistics_steps))


def _keep(learner: Learner, feed: Feed, port: Port, config: LoopConfig) -> None:
    """Leave the weights that the stage is to save in worker 0's task."""
    task, train = learner.task, config.train
    if train.keep == "best" and learner.standing.best > -math.inf:
        if port.rank == 0:
            load_best(task, config.folder)
    elif learner.average and learner.average.begun:
        learner.average.apply(islice(feed.batches(0), train.average.statistics_steps))
    task.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # stub lacks it
