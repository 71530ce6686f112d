"""One worker's batches: an endless stream that can start anywhere, and the validation pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgray.config import replace
from mgray.data.batches import Batch, DataConfig, Place, batches, endless
from mgray.data.pairs import Pair, build_pairs
from mgray.data.subset import mismatched, with_boxes
from mgray.data.table import ImageTable
from mgray.training.port import Port


@dataclass(frozen=True)
class FeedConfig:
    """What a stage samples."""

    table: Path
    kinds: tuple[str, ...]
    data: DataConfig
    seed: int
    mismatched: bool = False
    """Each training SM with the FFDM of another pair: a control."""


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
        self.train = training_pairs(pairs, config)
        self.val = [pair for pair in pairs if pair.split == "val"]
        self.images_per_step = config.data.global_batch_size * len(config.kinds)

    def batches(self, start: int) -> Iterator[Batch]:
        """Yield this worker's share of each step from ``start`` on, epoch after epoch."""
        data, kinds = self.config.data, self.config.kinds
        found = endless(self.table, self.train, data, kinds, start=start, **self._place())
        return self._moved(found)

    def validation(self) -> Iterator[Batch]:
        """Yield this worker's share of the validation pairs, in order, not augmented."""
        data = replace(self.config.data, {"sampler.mode": "sequential", "augment.enabled": False})
        if not self.val:
            return iter(())
        kinds = self.config.kinds
        return self._moved(batches(self.table, self.val, data, kinds, epoch=0, **self._place()))

    def _place(self) -> Place:
        port, device = self.port, self.port.device
        pin = device.type == "cuda"
        return {"rank": port.rank, "world": port.world, "seed": self.config.seed, "pin": pin}

    def _moved(self, found: Iterator[Batch]) -> Iterator[Batch]:
        for batch in found:
            yield batch.to(self.port.device)


def training_pairs(pairs: Sequence[Pair], config: FeedConfig) -> list[Pair]:
    """List the pairs that a stage learns from."""
    train = [pair for pair in pairs if pair.split == "train"]
    known = with_boxes(train, config.data.boxed_share, config.data.boxed_seed)
    return mismatched(known, config.seed) if config.mismatched else known


def build_feed(config: FeedConfig, port: Port) -> Feed:
    """Open the image table and pair its images.

    Raises:
        NotFoundError: No table there.
        SchemaError: A table of another version.
    """
    table = ImageTable.open(config.table)
    return Feed(table, build_pairs(table), config, port)
