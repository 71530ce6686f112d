"""Which pair stands at which position of an epoch; pure functions of (seed, epoch, position).

The global sequence does not know how many ranks there are: position ``i`` of a step's global batch
belongs to rank ``i % world``. A run may stop at any step and go on with another number of ranks.
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from mgray.data.config import SamplerConfig
from mgray.errors import ConfigError, DataError

__all__ = [
    "SamplerConfig",
    "class_weights",
    "epoch_sequence",
    "generator",
    "rank_positions",
]

_NEEDS_BOTH_CLASSES: Final = ("class_uniform", "balanced_batch")
_ORDER: Final = 0  # stream of random numbers; others belong to augment.py


def epoch_sequence(
    positive: Bool[np.ndarray, " pair"],
    config: SamplerConfig,
    global_batch_size: int,
    *,
    seed: int,
    epoch: int,
) -> Int[np.ndarray, " position"]:
    """Lay out one epoch, over all ranks.

    Training modes drop the tail that fills no batch, but never the only batch: a sequence shorter
    than one batch is repeated. ``sequential`` drops nothing.

    Args:
        positive: Class of each pair.
        config: How to draw.
        global_batch_size: Positions in one step, over all ranks.
        seed: Of the run.
        epoch: From 0.

    Returns:
        Numbers of pairs; the length is a multiple of ``global_batch_size``.

    Raises:
        ConfigError: ``balanced_batch`` with an odd batch.
        DataError: No pairs, or a class that the mode needs is empty.
    """
    _check(positive, config, global_batch_size)
    random = generator(seed, epoch, stream=_ORDER)
    drawn = _draw(positive, config, global_batch_size, random)
    whole = len(drawn) // global_batch_size
    if config.mode == "sequential":
        whole = -(-len(drawn) // global_batch_size)
    return np.resize(drawn, max(whole, 1) * global_batch_size)


def rank_positions(step: int, global_batch_size: int, rank: int, world: int) -> range:
    """Positions of the epoch's sequence that one rank takes in one step.

    Where the batch is no multiple of the number of ranks, the first ones take one more.

    Raises:
        ConfigError: There is no such rank, or nothing is left for it.
    """
    if not 0 <= rank < world <= global_batch_size:
        raise ConfigError(
            f"global_batch_size={global_batch_size}: expected at least the number of workers"
            f" ({world}), so that rank {rank} and all others get a share of each batch"
        )
    first = step * global_batch_size
    return range(first + rank, first + global_batch_size, world)


def class_weights(positive: Bool[np.ndarray, " position"]) -> Float[np.ndarray, " position"]:
    """Loss weights that give each class present in a global batch the same sum; their mean is 1."""
    share = np.where(positive, positive.mean(), 1 - positive.mean())
    classes = len(np.unique(positive))
    return np.asarray(1 / (classes * share), dtype=np.float64)


def generator(seed: int, epoch: int, position: int = 0, *, stream: int) -> np.random.Generator:
    """Counter-based random numbers for one position of one epoch; no state is shared."""
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence([seed, epoch, position, stream]))
    )


def _check(
    positive: Bool[np.ndarray, " pair"], config: SamplerConfig, global_batch_size: int
) -> None:
    counts = int(positive.sum()), int((~positive).sum())
    if not len(positive):
        raise DataError("no pairs to draw from: this split of the table is empty")
    if config.mode == "match" and not counts[0]:
        raise DataError("no positive pair to match: use sampler.mode=uniform, or more data")
    if config.mode in _NEEDS_BOTH_CLASSES and not min(counts):
        raise DataError(
            f"sampler.mode={config.mode} needs both classes, found {counts[0]} positive and"
            f" {counts[1]} negative pairs: use sampler.mode=uniform, or more data"
        )
    if config.mode == "balanced_batch" and global_batch_size % 2:
        raise ConfigError(
            f"global_batch_size={global_batch_size}: sampler.mode=balanced_batch needs an even one"
        )


def _draw(
    positive: Bool[np.ndarray, " pair"],
    config: SamplerConfig,
    global_batch_size: int,
    random: np.random.Generator,
) -> Int[np.ndarray, " position"]:
    members = np.flatnonzero(positive), np.flatnonzero(~positive)
    match config.mode:
        case "match":
            return _match(*members, random)
        case "class_uniform":
            return _class_uniform(*members, config.draws_per_epoch or len(positive), random)
        case "balanced_batch":
            return _balanced(*members, global_batch_size, random)
        case "sequential":
            return np.arange(len(positive))
        case "uniform" | "weighted":
            return random.permutation(len(positive))


def _match(
    positives: Int[np.ndarray, " positive"],
    negatives: Int[np.ndarray, " negative"],
    random: np.random.Generator,
) -> Int[np.ndarray, " position"]:
    size = min(len(positives), len(negatives))
    drawn = random.choice(negatives, size, replace=False, shuffle=False)
    return random.permutation(np.concatenate([positives, drawn]))


def _class_uniform(
    positives: Int[np.ndarray, " positive"],
    negatives: Int[np.ndarray, " negative"],
    draws: int,
    random: np.random.Generator,
) -> Int[np.ndarray, " position"]:
    of_positives, of_negatives = random.choice(positives, draws), random.choice(negatives, draws)
    return np.where(random.random(draws) < 0.5, of_positives, of_negatives)


def _balanced(
    positives: Int[np.ndarray, " positive"],
    negatives: Int[np.ndarray, " negative"],
    global_batch_size: int,
    random: np.random.Generator,
) -> Int[np.ndarray, " position"]:
    """Each batch: the positives first, so that a strided slice of it is balanced too."""
    half = global_batch_size // 2
    steps = max(len(positives) // half, 1)
    left, right = (
        _cycled(members, steps * half, random).reshape(steps, half)
        for members in (positives, negatives)
    )
    return np.concatenate([left, right], axis=1).ravel()


def _cycled(
    members: Int[np.ndarray, " member"], size: int, random: np.random.Generator
) -> Int[np.ndarray, " position"]:
    """Draw without replacement until all are used, then start again."""
    rounds = -(-size // len(members))
    return np.concatenate([random.permutation(members) for _ in range(rounds)])[:size]
