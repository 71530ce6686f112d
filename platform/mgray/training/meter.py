"""Means of what the loop measures, written by worker 0."""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from mgray.data.batches import Batch
from mgray.errors import DataError
from mgray.training.collective import mean_over_workers
from mgray.training.config import TrainConfig
from mgray.training.journal import Journal
from mgray.training.port import Port
from mgray.training.trackers import build_trackers


class Meter:
    """Collect losses and write rows of metrics.

    Args:
        folder: Of the stage.
        port: Names worker 0, which writes.
        start: Step from which this attempt continues.
        config: Steps between two rows, and who else shall see them.
        images_per_step: Of all workers together.
    """

    def __init__(
        self, folder: Path, port: Port, start: int, config: TrainConfig, images_per_step: int
    ) -> None:
        self.port, self.every, self.images_per_step = port, config.log_every, images_per_step
        self.journal = Journal(folder) if port.rank == 0 else None
        self.trackers = build_trackers(folder, start, config) if port.rank == 0 else []
        if self.journal:
            self.journal.rewind(start)
        self._forget()

    def next_of(self, batches: Iterator[Batch]) -> Batch:
        """Take the next batch, and count how long it is waited for."""
        asked = time.monotonic()
        batch = next(batches)
        self.waited += time.monotonic() - asked
        return batch

    def trained(self, step: int, losses: Mapping[str, Tensor], rate: float) -> None:
        """Count a finished step; every few steps, write the mean over them and over all workers.

        Raises:
            DataError: A loss that is not finite.
        """
        self.count += 1
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + loss.detach()
        self.step, self.rate = step, rate
        if step % self.every == 0:
            self.flush()

    def flush(self) -> None:
        """Write the mean over the steps since the last row, if there are any.

        Called before a resume state is saved: none holds what came of a loss that is not finite,
        and a run that continues writes the rows of one that was never stopped.

        Raises:
            DataError: A loss that is not finite.
        """
        if not self.count:
            return
        sums = {name: float(total) for name, total in self.sums.items()}
        means = mean_over_workers(sums, self.count, self.port.device)
        if not math.isfinite(means["loss"]):
            raise DataError(
                f"the loss is {means['loss']} at step {self.step}: "
                "lower optimizer.learning_rate or set train.precision=float32"
            )
        told = {"learning_rate": self.rate, "workers": self.port.world}
        self._write({"step": self.step, **means, **told, **self._speed()})
        self._forget()

    def validated(self, step: int, means: Mapping[str, float], seconds: float = 0.0) -> None:
        """Write what a validation found as ``val_...``; nothing without validation pairs.

        Args:
            step: Steps done before it.
            means: What it found.
            seconds: How long it took, which no step did.
        """
        self.since += seconds
        if means:
            self._write({"step": step, **{f"val_{name}": mean for name, mean in means.items()}})
        if self.journal:
            self.journal.write_csv()

    def close(self) -> None:
        """Let the trackers finish."""
        for tracker in self.trackers:
            tracker.close()

    def _speed(self) -> dict[str, float]:
        """How fast it goes, and what worker 0 waits for and holds."""
        device, spent = self.port.device, time.monotonic() - self.since
        speed = self.images_per_step * self.count / spent
        told = {"images_per_s": speed, "input_wait": self.waited / spent}
        if device.type == "cuda":
            told["gpu_memory_bytes"] = torch.cuda.max_memory_allocated(device)
        return told

    def _forget(self) -> None:
        self.sums: dict[str, float | Tensor] = {}
        self.count, self.since, self.waited = 0, time.monotonic(), 0.0

    def _write(self, row: Mapping[str, float | int]) -> None:
        """Write one row, less what is not finite: a float16 step that was skipped has no norm."""
        if self.journal:
            told = {name: round(value, 8) for name, value in row.items() if math.isfinite(value)}
            self.journal.write(told)
            self.port.publish(told)
            for tracker in self.trackers:
                tracker.write(told)
