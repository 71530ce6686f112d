"""A stage: a task, the data it samples, what it starts from and what it saves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from mgray.training.feed import FeedConfig, build_feed
from mgray.training.loop import LoopConfig, fit
from mgray.training.port import Port
from mgray.training.task import Task

MODELS: Final = "models"
STAGES: Final = "stages"


@dataclass(frozen=True)
class Stage:
    """One entry of a recipe; pickles, so that workers elsewhere can run it."""

    name: str
    """Of the model it makes: sm, ffdm, student, fused, upper_bound."""
    build: Callable[[], Task]
    """Makes the task, from earlier stages' model folders; random weights are seeded outside."""
    export: Callable[[Task, Path], None]
    """Writes the trained model into its folder, whole or not at all."""
    feed: FeedConfig
    loop: LoopConfig

    @property
    def model(self) -> Path:
        """Folder of the finished model: if it is there, the stage is done."""
        return self.loop.folder.parents[1] / MODELS / self.name


def train_stage(stage: Stage, port: Port) -> None:
    """Do all of one worker's part of a stage; worker 0 saves the model."""
    torch.set_num_threads(stage.loop.train.threads)
    with torch.random.fork_rng():
        torch.manual_seed(stage.feed.seed)
        task = stage.build().to(port.device)
        task.train()
        fit(task, build_feed(stage.feed, port), port, stage.loop)
    if port.rank == 0:
        stage.export(task.eval(), stage.model)
