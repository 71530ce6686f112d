"""The port through which the loop meets its surroundings: plain Python here, Ray in ``worker``."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import torch
from torch import nn

from mgray.training.task import Task

CHECKPOINTS: Final = "checkpoints"
KEEP: Final = 2
Save = Callable[[Path], None]


@runtime_checkable
class Port(Protocol):
    """What the loop asks of whoever runs it."""

    rank: int
    world: int
    device: torch.device

    def resume(self) -> Path | None:
        """Return the folder of the newest complete resume state, if any."""

    def wrap(self, task: Task) -> nn.Module:
        """Return the module to call: the task itself, or the task under DDP."""

    def report(self, step: int, save: Save) -> None:
        """Keep a resume state; ``save`` writes it into a folder that this port chooses."""


class LocalPort:
    """One process without Ray.

    Args:
        folder: Stage folder; resume states go to ``checkpoints/`` in it, the newest two are kept.
        device: Where the task lives.
    """

    rank: int = 0
    world: int = 1

    def __init__(self, folder: Path, device: torch.device | None = None) -> None:
        self.folder, self.device = folder / CHECKPOINTS, device or torch.device("cpu")

    def resume(self) -> Path | None:
        """Return the newest state; half-written ones have another name."""
        return max(self._states(), default=None)

    def wrap(self, task: Task) -> nn.Module:
        """Return the task."""
        return task

    def report(self, step: int, save: Save) -> None:
        """Write under a temporary name, rename, drop the oldest."""
        unfinished = self.folder / f"unfinished_{step:07d}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        save(unfinished)
        target = self.folder / state_name(step)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
        for old in sorted(self._states())[:-KEEP]:
            shutil.rmtree(old)

    def _states(self) -> list[Path]:
        return list(self.folder.glob("step_*"))


def state_name(step: int) -> str:
    """Name a resume state's folder so that names sort by step."""
    return f"step_{step:07d}"
