"""What an epoch's order costs, and batches as training takes them, without a network."""

import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final, get_args

import numpy as np

from mgray.data.batches import endless
from mgray.data.config import DataConfig, Mode, SamplerConfig
from mgray.data.pairs import Pair, build_pairs
from mgray.data.sampler import epoch_sequence
from mgray.data.storage import Storage
from mgray.data.table import ImageTable
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured

GOAL_S: Final = 1.0
GOAL_BYTES: Final = 200 * 10**6
POSITIVE: Final = 1648 / 1_214_501  # PAPERS.md 0.5: share of malignant images
BATCH: Final = 64
LATENCY_S: Final = 0.02
STEPS: Final = 12
"""Batches in a turn."""


def measure_sampler(config: BenchConfig) -> Measured:
    """Lay out epochs in every mode; bare, NumPy permutes as many numbers.

    Args:
        config: How many pairs, and how often.
    """
    positive = np.random.default_rng(config.seed).random(config.pairs) < POSITIVE
    modes: tuple[Mode, ...] = get_args(Mode)
    turns = [[_seconds(positive, mode, turn) for mode in modes] for turn in range(config.repeats)]
    bare = [_permuted_s(config.pairs, turn) for turn in range(config.repeats)]
    peak = max(_bytes(positive, mode) for mode in modes)
    what = f"order of an epoch of {config.pairs} pairs, slowest mode"
    met = "met" if peak <= GOAL_BYTES else "MISSED"
    return Measured(
        [Comparison(what, "s", [max(turn) for turn in turns], bare, goal=GOAL_S)],
        {},
        [f"peak memory of {what}: {peak / 1e6:.0f} MB, goal {GOAL_BYTES / 1e6:g} MB {met}"],
    )


def measure_batches(config: BenchConfig, table: Path) -> Measured:
    """Compare batches of pairs from storage that answers late with those from warm files.

    Args:
        config: How often; decoding threads are its workers.
        table: Folder.
    """
    near = ImageTable.open(table)
    far = replace(near, storage=Late(near.storage, LATENCY_S))
    pairs = build_pairs(near)
    data = DataConfig(threads=config.workers)
    rate(near, pairs, data, config.seed)  # warm
    turns = track(range(config.repeats), "time batches", config.repeats, "turns")
    rates = [[rate(one, pairs, data, config.seed) for one in (far, near)] for _ in turns]
    late, warm = zip(*rates, strict=True)
    size = f"{data.preprocess.net_height} x {data.preprocess.net_width}"
    what = f"batches of {size}, read {LATENCY_S * 1000:.0f} ms away against warm"
    return Measured([Comparison(what, "pairs/s", late, warm, is_rate=True)])


@dataclass(frozen=True)
class Late:
    """Storage that takes its time before it answers.

    Args:
        inner: Answers.
        latency_s: Of each read.
    """

    inner: Storage
    latency_s: float

    def sizes(self, folder: str) -> dict[str, int]:
        """As told, late."""
        time.sleep(self.latency_s)
        return self.inner.sizes(folder)

    def read(self, name: str) -> bytes:
        """As told, late."""
        time.sleep(self.latency_s)
        return self.inner.read(name)

    def read_at(self, name: str, offset: int, size: int) -> bytes:
        """As told, late."""
        time.sleep(self.latency_s)
        return self.inner.read_at(name, offset, size)


def rate(table: ImageTable, pairs: Sequence[Pair], data: DataConfig, seed: int) -> float:
    """Pairs a second, both images of each, augmented, from the first request on."""
    start = time.perf_counter()
    stream = endless(table, pairs, data, ("sm", "ffdm"), rank=0, world=1, seed=seed)
    count = sum(len(batch.pair_indices) for batch in islice(stream, STEPS))
    return count / (time.perf_counter() - start)


def _seconds(positive: np.ndarray, mode: Mode, epoch: int) -> float:
    start = time.perf_counter()
    _lay_out(positive, mode, epoch)
    return time.perf_counter() - start


def _lay_out(positive: np.ndarray, mode: Mode, epoch: int) -> np.ndarray:
    return epoch_sequence(positive, SamplerConfig(mode=mode), BATCH, seed=0, epoch=epoch)


def _permuted_s(count: int, seed: int) -> float:
    start = time.perf_counter()
    np.random.default_rng(seed).permutation(count)
    return time.perf_counter() - start


def _bytes(positive: np.ndarray, mode: Mode) -> int:
    tracemalloc.start()
    _lay_out(positive, mode, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
