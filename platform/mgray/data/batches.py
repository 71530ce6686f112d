"""Pairs to batches, in an order that never changes.

Reading, decoding and preparing happen in threads of their own: a few that decode, and more that
wait for storage.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, NotRequired, TypedDict, Unpack

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgray.data.augment import draw
from mgray.data.config import DataConfig
from mgray.data.draws import Draws, Step
from mgray.data.pairs import Pair
from mgray.data.prefetch import Pools, in_order
from mgray.data.sampler import class_weights, rank_positions
from mgray.data.table import ImageTable
from mgray.data.targets import FINDING_COLUMNS, MALIGNANT, Sample, prepare_sample, read_findings
from mgray.data.transforms import levels_spared
from mgray.dicom.pixels import DISPLAY_COLUMNS

__all__ = ["Batch", "DataConfig", "Place", "batches", "endless"]

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
        """Copy to a device; from pinned memory, while the caller goes on."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """Copy to memory that a GPU can read by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return replace(
            self,
            images={kind: change(image) for kind, image in self.images.items()},
            boxes={kind: [change(box) for box in boxes] for kind, boxes in self.boxes.items()},
            labels=[change(label) for label in self.labels],
            positive=change(self.positive),
            masked=change(self.masked),
            weights=change(self.weights),
        )


class Place(TypedDict):
    """Who asks for batches, and for which."""

    rank: int
    world: int
    seed: int
    pin: NotRequired[bool]
    """In pinned memory, for a GPU."""


def batches(
    table: ImageTable,
    pairs: Sequence[Pair],
    config: DataConfig,
    kinds: Sequence[str] = ("sm",),
    *,
    epoch: int,
    start_step: int = 0,
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
        epoch: From 0.
        start_step: First step of the epoch to yield.
        place: ``rank`` of ``world``, ``seed``, and whether to pin memory (default no).

    Raises:
        ConfigError: The batch cannot be shared equally.
        DataError: Nothing to draw from, a damaged shard, or storage that does not answer.
    """
    draws = Draws(pairs, config, place["seed"])
    yield from _made(table, draws, tuple(kinds), place, draws.epoch(epoch, start_step))


def endless(
    table: ImageTable,
    pairs: Sequence[Pair],
    config: DataConfig,
    kinds: Sequence[str] = ("sm",),
    *,
    start: int = 0,
    **place: Unpack[Place],
) -> Iterator[Batch]:
    """Yield one rank's batches from a global step on, epoch after epoch, as ``batches`` does.

    What is prepared ahead goes over the end of an epoch.
    """
    draws = Draws(pairs, config, place["seed"])
    yield from _made(table, draws, tuple(kinds), place, draws.endless(start))


def _made(
    table: ImageTable,
    draws: Draws,
    kinds: tuple[str, ...],
    place: Place,
    steps: Iterable[Step],
) -> Iterator[Batch]:
    config = draws.config
    with Pools(config.threads, config.readers) as pools:
        maker = _Maker(table, draws, kinds, place, pools)
        yield from in_order(maker.batch, steps, config.prefetch)


@dataclass(frozen=True)
class _Part:
    """One pair of a batch, prepared."""

    sample: Sample
    drawn: bool
    """Somebody drew a malignant finding."""


@dataclass(frozen=True)
class _Maker:
    """What the threads share; nothing in it changes."""

    table: ImageTable
    draws: Draws
    kinds: tuple[str, ...]
    place: Place
    pools: Pools

    @property
    def config(self) -> DataConfig:
        """How to draw, prepare and augment."""
        return self.draws.config

    def batch(self, step: Step) -> Future[Batch]:
        """Start to make the rank's share of one step."""
        size, rank, world = self.config.global_batch_size, self.place["rank"], self.place["world"]
        positions = rank_positions(step.step, size, rank, world)
        chosen = [self.draws.pairs[number] for number in step.numbers[rank::world]]
        records = [self.pools.readers.submit(self._records, pair) for pair in chosen]
        parts = [
            self.pools.decoders.submit(self._part, step.epoch, *one)
            for one in zip(positions, chosen, records, strict=True)
        ]
        return self.pools.decoders.submit(self._collated, step, parts)

    def _collated(self, step: Step, waiting: Sequence[Future[_Part]]) -> Batch:
        rank, world = self.place["rank"], self.place["world"]
        parts = [part.result() for part in waiting]
        samples = [part.sample for part in parts]
        numbers = step.numbers[rank::world].tolist()
        positive = torch.tensor([self.draws.pairs[number].malignant for number in numbers])
        drawn = torch.tensor([part.drawn for part in parts])
        lost = torch.tensor([sample.lost for sample in samples])
        batch = Batch(
            images={k: torch.stack([sample.images[k] for sample in samples]) for k in self.kinds},
            boxes={k: [sample.boxes[k] for sample in samples] for k in self.kinds},
            labels=[sample.labels for sample in samples],
            positive=positive,
            masked=positive & (~drawn | lost),
            weights=self._weights(step)[rank::world],
            pair_indices=numbers,
        )
        return batch.pinned() if self.place.get("pin") else batch

    def _records(self, pair: Pair) -> dict[str, dict[str, Any]]:
        rows = [pair.rows[kind] for kind in self.kinds]
        spared = partial(levels_spared, config=self.config.preprocess)
        records = self.table.records(rows, READ_COLUMNS, spared)
        return dict(zip(self.kinds, records, strict=True))

    def _part(
        self, epoch: int, position: int, pair: Pair, read: Future[dict[str, dict[str, Any]]]
    ) -> _Part:
        records, partner = read.result(), self._partner(pair)
        sample = self._sample(epoch, position, records, partner)
        return _Part(sample, _drawn([*records.values(), partner]))

    def _partner(self, pair: Pair) -> dict[str, Any] | None:
        """What is known, without pixels, of the image that is not read."""
        other = [row for kind, row in pair.rows.items() if kind not in self.kinds]
        if not other or not self.config.partner_findings:
            return None
        return self.table.facts(other[0], FINDING_COLUMNS)

    def _sample(
        self,
        epoch: int,
        position: int,
        records: Mapping[str, Mapping[str, Any]],
        partner: Mapping[str, Any] | None,
    ) -> Sample:
        preprocess, only_visible = self.config.preprocess, self.config.only_visible
        sample = prepare_sample(records, preprocess, only_visible, partner)
        if not self.config.augment.enabled:
            return sample
        key = {"seed": self.draws.seed, "epoch": epoch, "position": position}
        return sample.augmented(draw(self.config.augment, **key))

    def _weights(self, step: Step) -> Float[Tensor, " position"]:
        if self.config.sampler.mode != "weighted":
            return torch.ones(len(step.numbers))
        return torch.from_numpy(class_weights(self.draws.positive[step.numbers])).float()


def _drawn(rows: Sequence[Mapping[str, Any] | None]) -> bool:
    findings = [finding for row in rows if row for finding in read_findings(row)]
    return any(finding.label == MALIGNANT for finding in findings)
