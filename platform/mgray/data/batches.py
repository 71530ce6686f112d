"""Pairs to batches: read, decode and prepare in a few threads, in an order that never changes."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, NotRequired, TypedDict, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgray.data.augment import draw
from mgray.data.config import DataConfig, SamplerConfig
from mgray.data.pairs import Pair
from mgray.data.sampler import class_weights, epoch_sequence, rank_positions
from mgray.data.table import ImageTable
from mgray.data.targets import FINDING_COLUMNS, MALIGNANT, Sample, prepare_sample, read_findings
from mgray.dicom.pixels import DISPLAY_COLUMNS

__all__ = ["Batch", "DataConfig", "Place", "batches", "steps_per_epoch"]

READ_COLUMNS: Final = tuple(dict.fromkeys((*DISPLAY_COLUMNS, *FINDING_COLUMNS, "view")))
"""What a sample is made from, beside the pixels."""


@dataclass(frozen=True)
class Batch:
    """One rank's share of one step."""

    images: dict[str, Float[Tensor, "batch 3 height width"]]
    """Under ``sm`` and ``ffdm``, as asked for."""
    boxes: dict[str, list[Float[Tensor, "_ 4"]]]
    """``xyxy``, net frame; the rows of all kinds speak of the same findings."""
    labels: list[Int[Tensor, " _"]]
    """0 benign, 1 malignant, for each row of ``boxes``."""
    positive: Bool[Tensor, " batch"]
    """Whether the breast holds a known malignancy."""
    masked: Bool[Tensor, " batch"]
    """Positive, but nobody drew where, or a malignant box lies outside the net frame: its
    background is not to be learnt."""
    weights: Float[Tensor, " batch"]
    """Loss weights; all 1 unless ``sampler.mode`` is weighted."""
    pair_indices: list[int]
    """Numbers in the list of pairs."""

    def to(self, device: torch.device | str) -> "Batch":
        """Copy to a device."""
        return replace(
            self,
            images={kind: image.to(device) for kind, image in self.images.items()},
            boxes={kind: [b.to(device) for b in boxes] for kind, boxes in self.boxes.items()},
            labels=[label.to(device) for label in self.labels],
            positive=self.positive.to(device),
            masked=self.masked.to(device),
            weights=self.weights.to(device),
        )


class Place(TypedDict):
    """Who asks for batches, and for which."""

    rank: int
    world: int
    seed: int
    epoch: int
    start_step: NotRequired[int]


def steps_per_epoch(pairs: Sequence[Pair], config: DataConfig) -> int:
    """How many batches every rank gets in every epoch, whatever the number of ranks."""
    return len(_sequence(pairs, config, seed=0, epoch=0)) // config.global_batch_size


def batches(
    table: ImageTable,
    pairs: Sequence[Pair],
    config: DataConfig,
    kinds: Sequence[str] = ("sm",),
    **place: Unpack[Place],
) -> Iterator[Batch]:
    """Yield one rank's batches of one epoch.

    The result depends on the arguments only, not on threads or timing; starting at a later step
    yields exactly the rest.

    Args:
        table: Where the images are.
        pairs: Those of one split; their order is part of the result.
        config: How to draw, prepare and augment.
        kinds: Images to read.
        place: ``rank`` of ``world``, ``seed``, ``epoch``, and the first step (default 0).

    Raises:
        ConfigError: The batch cannot be shared equally.
        DataError: Nothing to draw from, or a damaged shard.
    """
    sequence = _sequence(pairs, config, seed=place["seed"], epoch=place["epoch"])
    steps = range(place.get("start_step", 0), len(sequence) // config.global_batch_size)
    epoch = _Epoch(table, pairs, config, tuple(kinds), sequence, place)
    with ThreadPoolExecutor(config.threads, thread_name_prefix="mgray-data") as pool:
        yield from _in_order(pool, epoch.batch, steps, config.prefetch)


def _in_order(
    pool: ThreadPoolExecutor, make: Callable[[int], Batch], steps: range, ahead: int
) -> Iterator[Batch]:
    """Keep ``ahead`` batches in the making; yield them in the order of ``steps``."""
    waiting: deque[Future[Batch]] = deque()
    try:
        for step in steps:
            waiting.append(pool.submit(make, step))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _sequence(
    pairs: Sequence[Pair], config: DataConfig, *, seed: int, epoch: int
) -> Int[np.ndarray, " position"]:
    return epoch_sequence(
        _positive(pairs, config.sampler),
        config.sampler,
        config.global_batch_size,
        seed=seed,
        epoch=epoch,
    )


def _positive(pairs: Sequence[Pair], config: SamplerConfig) -> Bool[np.ndarray, " pair"]:
    benign_too = config.positives == "any_finding"
    positive = (pair.malignant or (benign_too and pair.benign) for pair in pairs)
    return np.fromiter(positive, dtype=np.bool_, count=len(pairs))


@dataclass(frozen=True)
class _Epoch:
    """What the decoding threads share; nothing in it changes."""

    table: ImageTable
    pairs: Sequence[Pair]
    config: DataConfig
    kinds: tuple[str, ...]
    sequence: Int[np.ndarray, " position"]
    place: Place

    def batch(self, step: int) -> Batch:
        """Make the rank's batch of one step."""
        size, rank, world = self.config.global_batch_size, self.place["rank"], self.place["world"]
        positions = rank_positions(step, size, rank, world)
        numbers = [int(self.sequence[position]) for position in positions]
        chosen = [self.pairs[number] for number in numbers]
        records = self._records(chosen)
        partners = [self._partner(pair) for pair in chosen]
        places = zip(positions, records, partners, strict=True)
        samples = [self._sample(*place) for place in places]
        positive = torch.tensor([pair.malignant for pair in chosen])
        sources = zip(records, partners, strict=True)
        drawn = torch.tensor([_drawn([*rows.values(), other]) for rows, other in sources])
        lost = torch.tensor([sample.lost for sample in samples])
        return Batch(
            images={k: torch.stack([sample.images[k] for sample in samples]) for k in self.kinds},
            boxes={k: [sample.boxes[k] for sample in samples] for k in self.kinds},
            labels=[sample.labels for sample in samples],
            positive=positive,
            masked=positive & (~drawn | lost),
            weights=self._weights(step)[rank::world],
            pair_indices=numbers,
        )

    def _records(self, chosen: Sequence[Pair]) -> list[dict[str, dict[str, Any]]]:
        rows = [pair.rows[kind] for pair in chosen for kind in self.kinds]
        found = iter(self.table.records(rows, READ_COLUMNS))
        return [{kind: next(found) for kind in self.kinds} for _ in chosen]

    def _partner(self, pair: Pair) -> dict[str, Any] | None:
        """What is known, without pixels, of the image that is not read."""
        other = [row for kind, row in pair.rows.items() if kind not in self.kinds]
        if not other or not self.config.partner_findings:
            return None
        index = self.table.index.select(list(FINDING_COLUMNS))
        found: dict[str, Any] = index.slice(other[0], 1).to_pylist()[0]
        return found

    def _sample(
        self,
        position: int,
        records: Mapping[str, Mapping[str, Any]],
        partner: Mapping[str, Any] | None,
    ) -> Sample:
        preprocess, only_visible = self.config.preprocess, self.config.only_visible
        sample = prepare_sample(records, preprocess, only_visible, partner)
        if not self.config.augment.enabled:
            return sample
        seed, epoch = self.place["seed"], self.place["epoch"]
        return sample.augmented(
            draw(self.config.augment, seed=seed, epoch=epoch, position=position)
        )

    def _weights(self, step: int) -> Float[Tensor, " position"]:
        size = self.config.global_batch_size
        if self.config.sampler.mode != "weighted":
            return torch.ones(size)
        numbers = self.sequence[step * size : (step + 1) * size]
        positive = _positive([self.pairs[number] for number in numbers], self.config.sampler)
        return torch.from_numpy(class_weights(positive)).float()


def _drawn(rows: Sequence[Mapping[str, Any] | None]) -> bool:
    findings = [finding for row in rows if row for finding in read_findings(row)]
    return any(finding.label == MALIGNANT for finding in findings)
