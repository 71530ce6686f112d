"""Which pairs each step of each epoch takes, for as long as a run lasts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from jaxtyping import Bool, Int

from mgray.data.config import DataConfig, SamplerConfig
from mgray.data.pairs import Pair
from mgray.data.sampler import epoch_sequence

__all__ = ["Draws", "Step"]


@dataclass(frozen=True)
class Step:
    """One global batch."""

    epoch: int
    step: int
    """Of the epoch."""
    numbers: Int[np.ndarray, " position"]
    """Of the pairs, over all ranks."""


class Draws:
    """Steps of a run; which ones does not depend on the number of ranks.

    Args:
        pairs: Those of one split; their order is part of the result.
        config: How to draw.
        seed: Of the run.

    Raises:
        ConfigError: As ``epoch_sequence``.
        DataError: As ``epoch_sequence``.
    """

    def __init__(self, pairs: Sequence[Pair], config: DataConfig, seed: int) -> None:
        self.pairs, self.config, self.seed = pairs, config, seed
        self.positive = _positive(pairs, config.sampler)
        self.steps = len(self._sequence(0)) // config.global_batch_size
        """Of every epoch."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Step]:
        """Lay out an epoch, and yield its steps from one on."""
        size, sequence = self.config.global_batch_size, self._sequence(epoch)
        for step in range(start_step, self.steps):
            yield Step(epoch, step, sequence[step * size : (step + 1) * size])

    def endless(self, start: int) -> Iterator[Step]:
        """Yield the steps of a run from one on, epoch after epoch."""
        first, step = divmod(start, self.steps)
        yield from self.epoch(first, step)
        for epoch in count(first + 1):
            yield from self.epoch(epoch)

    def _sequence(self, epoch: int) -> Int[np.ndarray, " position"]:
        size, sampler = self.config.global_batch_size, self.config.sampler
        return epoch_sequence(self.positive, sampler, size, seed=self.seed, epoch=epoch)


def _positive(pairs: Sequence[Pair], config: SamplerConfig) -> Bool[np.ndarray, " pair"]:
    benign_too = config.positives == "any_finding"
    positive = (pair.malignant or (benign_too and pair.benign) for pair in pairs)
    return np.fromiter(positive, dtype=np.bool_, count=len(pairs))
