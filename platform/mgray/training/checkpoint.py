"""Resume state: step, trained weights, optimizer, averages, how validations went.

No random state: every draw is keyed by seed, epoch and position.
"""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import torch

from mgray.errors import SchemaError
from mgray.files import whole
from mgray.training.step import Learner
from mgray.training.task import Task

STATE_VERSION: Final = 2
STATE_FILE: Final = "state.pt"
BEST_FILE: Final = "best.pt"


def save_state(folder: Path, step: int, learner: Learner) -> None:
    """Write what an interrupted stage needs to continue bit for bit.

    Args:
        folder: Exists; receives ``state.pt``.
        step: Steps done.
        learner: Of its task, the trained parts are saved; frozen ones come from earlier stages'
            model folders.
    """
    state: dict[str, Any] = {
        "version": STATE_VERSION,
        "step": step,
        "live": learner.task.live_state(),
        "optimizer": learner.optimizer.state_dict(),
        "scaler": learner.scaler.state_dict(),
        "standing": asdict(learner.standing),
        "average": learner.average and learner.average.state_dict(),
    }
    torch.save(state, folder / STATE_FILE)


def restore_state(folder: Path | None, learner: Learner) -> int:
    """Load a resume state.

    Args:
        folder: As written by ``save_state``; ``None`` starts from nothing.
        learner: Changed in place.

    Returns:
        Steps done.

    Raises:
        SchemaError: A resume state of another version.
    """
    if folder is None:
        return 0
    state: dict[str, Any] = torch.load(folder / STATE_FILE, map_location="cpu", weights_only=True)
    if state.get("version") != STATE_VERSION:
        raise SchemaError(
            f"resume state has format version {state.get('version')}, expected {STATE_VERSION}: "
            "remove the stage's checkpoints to train it again"
        )
    learner.task.load_live_state(state["live"])
    learner.optimizer.load_state_dict(state["optimizer"])
    learner.scaler.load_state_dict(state["scaler"])
    for field in fields(learner.standing):
        setattr(learner.standing, field.name, state["standing"][field.name])
    if learner.average:
        learner.average.load_state_dict(state["average"])
    return int(state["step"])


def save_best(task: Task, folder: Path) -> None:
    """Write the trained weights of the best validation so far, whole or not at all."""
    with whole(folder / BEST_FILE) as draft:
        torch.save(task.live_state(), draft)


def load_best(task: Task, folder: Path) -> None:
    """Load what ``save_best`` wrote, on whatever device it was."""
    task.load_live_state(torch.load(folder / BEST_FILE, map_location="cpu", weights_only=True))
