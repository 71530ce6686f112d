"""The port through which the loop meets its surroundings: plain Python here, Ray in ``worker``."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, runtime_checkable
from zipfile import is_zipfile

import torch
from torch import nn

from mgray.training.checkpoint import STATE_FILE
from mgray.training.task import Task

LOCAL: Final = "checkpoints"
RAY: Final = "checkpoints_ray"  # laid out and cleaned up by Ray Train
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

    def publish(self, row: Mapping[str, float | int]) -> None:
        """Show worker 0's metrics where the surroundings show such things."""


class LocalPort:
    """One process without Ray.

    Args:
        folder: Stage folder; resume states go to ``checkpoints/`` in it, the newest two are kept.
            What Ray's workers left in it is continued, too.
        device: Where the task lives.
    """

    rank: int = 0
    world: int = 1

    def __init__(self, folder: Path, device: torch.device | None = None) -> None:
        self.stage, self.folder = folder, folder / LOCAL
        self.device = device or torch.device("cpu")

    def resume(self) -> Path | None:
        """Return the newest state."""
        return newest_state(self.stage, LOCAL, RAY)

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

    def publish(self, row: Mapping[str, float | int]) -> None:
        """Show nothing: the journal is all there is."""

    def _states(self) -> list[Path]:
        return list(self.folder.glob("step_*"))


def newest_state(stage: Path, *places: str) -> Path | None:
    """Return the resume state of the most steps in a stage folder, if there is one.

    A stage is a function of its config, so more steps are always nearer to its end. What was cut
    off while it was written is passed over: a state is a zip file, whose directory comes last.

    Args:
        stage: Stage folder.
        places: Of the ports whose states count: ``LOCAL``, ``RAY``.
    """
    states = [state for place in places for state in (stage / place).glob("step_*")]
    whole = [state for state in states if is_zipfile(state / STATE_FILE)]
    return max(whole, key=lambda state: state.name, default=None)


def state_name(step: int) -> str:
    """Name a resume state's folder so that names sort by step."""
    return f"step_{step:07d}"
