"""One worker's batches: an endless stream that can start anywhere, and the validation pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch

from mgray.config import replace
from mgray.data.batches import Batch, DataConfig, batches, steps_per_epoch
from mgray.data.pairs import Pair, build_pairs
from mgray.data.table import ImageTable
from mgray.training.port import Port


@dataclass(frozen=True)
class FeedConfig:
    """What a stage samples."""

    table: Path
    kinds: tuple[str, ...]
    data: DataConfig
    seed: int


class Feed:
    """Batches of one worker of one stage.

    Args:
        table: All images.
        pairs: All pairs, of all splits.
        config: What to sample.
        port: Rank, world and device.
    """

    def __init__(
        self, table: ImageTable, pairs: list[Pair], config: FeedConfig, port: Port
    ) -> None:
        self.table, self.config, self.port = table, config, port
        self.train = [pair for pair in pairs if pair.split == "train"]
        self.val = [pair for pair in pairs if pair.split == "val"]
        self.images_per_step = config.data.global_batch_size * len(config.kinds)

    def batches(self, start: int) -> Iterator[Batch]:
        """Yield this worker's share of each step from ``start`` on, epoch after epoch."""
        length = steps_per_epoch(self.train, self.config.data)
        for epoch in count(start // length):
            first = start % length if epoch == start // length else 0
            yield from self._epoch(self.train, self.config.data, epoch, first)

    def validation(self) -> Iterator[Batch]:
        """Yield this worker's share of the validation pairs, in order, not augmented."""
        data = replace(self.config.data, {"sampler.mode": "sequential", "augment.enabled": False})
        if self.val:
            yield from self._epoch(self.val, data, 0, 0)

    def _epoch(
        self, pairs: list[Pair], data: DataConfig, epoch: int, start_step: int
    ) -> Iterator[Batch]:
        device: torch.device = self.port.device
        for batch in batches(
            self.table,
            pairs,
            data,
            self.config.kinds,
            rank=self.port.rank,
            world=self.port.world,
            seed=self.config.seed,
            epoch=epoch,
            start_step=start_step,
        ):
            yield batch.to(device)


def build_feed(config: FeedConfig, port: Port) -> Feed:
    """Open the image table and pair its images.

    Raises:
        NotFoundError: No table there.
        SchemaError: A table of another version.
    """
    table = ImageTable.open(config.table)
    return Feed(table, build_pairs(table), config, port)
