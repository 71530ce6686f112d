"""What the validation pairs say of a task: mean losses and, for detectors, FAUC-1."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mgray.data.batches import Batch
from mgray.models.config import PostprocessConfig
from mgray.training.collective import mean_over_workers
from mgray.training.config import TrainConfig
from mgray.training.feed import Feed
from mgray.training.judge import Judge
from mgray.training.port import Port
from mgray.training.step import autocast
from mgray.training.task import DetectionTask, Task


@dataclass(frozen=True)
class Validation:
    """How a stage is validated."""

    task: Task
    feed: Feed
    port: Port
    config: TrainConfig
    judge: Judge | None

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Return the means over all workers; empty without validation pairs.

        All workers share each batch and its normaliser, so that the means do not depend on their
        number.
        """
        self.task.eval()
        sums: dict[str, float] = {}
        count = 0
        for batch in self.feed.validation():
            count += 1
            for name, loss in self._losses(batch).items():
                sums[name] = sums.get(name, 0.0) + float(loss)
        self.task.train()
        means = mean_over_workers(sums, count, self.port.device)
        if self.judge and means:
            means |= self.judge.measure(self.config.hit, self.config.intervals)
        return means

    def score(self, means: dict[str, float]) -> float | None:
        """Tell how good a validation is, higher is better; ``None`` without validation pairs."""
        if not means:
            return None
        return means[self.config.judge] if self.judge else -means["loss"]

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        with autocast(self.config, self.port.device):
            if self.judge is None:
                losses: dict[str, Tensor] = self.task(batch)
                return losses
            outputs = self.judge.task.predict(batch)
            self.judge.see(batch, outputs)
            return self.judge.task.losses(batch, outputs)


def build_validation(
    task: Task, feed: Feed, port: Port, config: TrainConfig, postprocess: PostprocessConfig
) -> Validation:
    """Set up the validation of a stage; tasks without boxes are judged by their loss."""
    judge = None
    if config.judge != "loss" and isinstance(task, DetectionTask):
        preprocess = feed.config.data.preprocess
        judge = Judge(feed.table, feed.val, task, preprocess, postprocess)
    return Validation(task, feed, port, config, judge)
