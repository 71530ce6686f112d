"""Resume state: step, trained weights, optimizer.

No random state: every draw is keyed by seed, epoch and position.
"""

from pathlib import Path
from typing import Any, Final

import torch
from torch.optim import Optimizer

from mgray.errors import SchemaError
from mgray.training.task import Task

STATE_VERSION: Final = 1
STATE_FILE: Final = "state.pt"


def save_state(folder: Path, step: int, task: Task, optimizer: Optimizer, best: float) -> None:
    """Write what an interrupted stage needs to continue bit for bit.

    Args:
        folder: Exists; receives ``state.pt``.
        step: Steps done.
        task: Its trained parts are saved; frozen ones come from earlier stages' model folders.
        optimizer: Of the task.
        best: Lowest validation loss so far.
    """
    state: dict[str, Any] = {"version": STATE_VERSION, "step": step, "best": best}
    state |= {"live": task.live_state(), "optimizer": optimizer.state_dict()}
    torch.save(state, folder / STATE_FILE)


def restore_state(folder: Path | None, task: Task, optimizer: Optimizer) -> tuple[int, float]:
    """Load a resume state into a task and its optimizer.

    Args:
        folder: As written by ``save_state``; ``None`` starts from nothing.
        task: Changed in place.
        optimizer: Changed in place.

    Returns:
        Steps done and lowest validation loss so far.

    Raises:
        SchemaError: A resume state of another version.
    """
    if folder is None:
        return 0, float("inf")
    state: dict[str, Any] = torch.load(folder / STATE_FILE, map_location="cpu", weights_only=True)
    if state.get("version") != STATE_VERSION:
        raise SchemaError(
            f"resume state has format version {state.get('version')}, expected {STATE_VERSION}: "
            "remove the stage's checkpoints to train it again"
        )
    task.load_live_state(state["live"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["best"])
