"""Means of the weights over the steps, by ``torch.optim.swa_utils``, with batch norms to match."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mgray.data.batches import Batch
from mgray.training.collective import average_statistics
from mgray.training.config import AverageConfig
from mgray.training.task import Task


class Average:
    """The mean of a task's trained weights.

    Args:
        task: Its trained parameters are watched, its batch norms recomputed when the mean is used.
        config: Kind of mean and where it starts.
        steps: Of the whole stage.
    """

    def __init__(self, task: Task, config: AverageConfig, steps: int) -> None:
        self.task, self.start = task, config.start * steps
        self.live = nn.ParameterList(p for p in task.parameters() if p.requires_grad)
        ema = None
        if config.kind == "ema":
            ema = get_ema_multi_avg_fn(config.decay)
        self.mean = AveragedModel(self.live, multi_avg_fn=ema)

    @property
    def begun(self) -> bool:
        """Whether any step has counted."""
        return int(self.mean.n_averaged) > 0

    def update(self, step: int) -> None:
        """Count the weights after ``step`` steps, if it is time."""
        if step > self.start:
            self.mean.update_parameters(self.live)

    @torch.no_grad()
    def apply(self, batches: Iterable[Batch]) -> None:
        """Put the mean into the task and let its batch norms see some training batches."""
        for live, mean in zip(self.live, self.mean.module.parameters(), strict=True):
            live.copy_(mean)
        recompute_statistics(self.task, batches)

    @contextmanager
    def applied(self, batches: Iterable[Batch]) -> Iterator[None]:
        """Lend the mean to the task, and give it back its own weights and statistics."""
        own = {name: value.clone() for name, value in self.task.live_state().items()}
        self.apply(batches)
        try:
            yield
        finally:
            self.task.load_live_state(own)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return self.mean.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.mean.load_state_dict(state)


@torch.no_grad()
def recompute_statistics(task: Task, batches: Iterable[Batch]) -> None:
    """Give the trained batch norms the plain mean of their statistics over some batches.

    As ``torch.optim.swa_utils.update_bn``, which would also forget those of frozen networks. Norms
    in eval mode keep what they have.
    """
    task.train()
    norms = [m for m in task.modules() if isinstance(m, _BatchNorm) and m.training]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for batch in batches:
        task(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    average_statistics(task)
