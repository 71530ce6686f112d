import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from dataclasses import replace as change
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mgray.config import replace
from mgray.data.batches import Batch, DataConfig, batches, endless
from mgray.data.draws import Draws
from mgray.data.pairs import Pair, build_pairs
from mgray.data.storage import LocalFolder, Storage
from mgray.data.table import ImageTable, with_heads
from mgray.errors import ConfigError, DataError
from mgray.schema import HEADS

CONFIG = replace(
    DataConfig(global_batch_size=4),
    {"preprocess.net_height": 64, "preprocess.net_width": 48, "sampler.mode": "uniform"},
)
COUNT = 13


@pytest.fixture
def folder(make_pair_rows: Any, make_finding: Any, write_table: Any) -> Path:
    """Thirteen pairs; every third one has a lesion, the last one a cancer that nobody drew."""
    random = np.random.default_rng(0)
    rows: list[Any] = []
    for number in range(COUNT):
        found = [make_finding((10, 10, 30, 30))] if number % 3 == 0 and number < 12 else []
        stored = random.integers(0, 4096, (80, 60))
        cancer = int(number % 3 == 0)
        rows += make_pair_rows(f"k{number:02}", stored=stored, annotations=found, cancer=cancer)
    return Path(write_table(rows))


@pytest.fixture
def table(folder: Path) -> ImageTable:
    return ImageTable.open(folder)


@pytest.fixture
def pairs(table: ImageTable) -> list[Pair]:
    return build_pairs(table)


def epoch_of(
    table: ImageTable, pairs: list[Pair], config: DataConfig = CONFIG, **change: Any
) -> list[Batch]:
    place = {"rank": 0, "world": 1, "seed": 0, "epoch": 0} | change
    return list(batches(table, pairs, config, **place))


def digest(found: list[Batch]) -> str:
    parts = [b.images["sm"].numpy().tobytes() + str(b.boxes).encode() for b in found]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_together_see_the_global_sequence(
    table: ImageTable, pairs: list[Pair], world: int
) -> None:
    ranks = [epoch_of(table, pairs, rank=rank, world=world) for rank in range(world)]
    whole = epoch_of(table, pairs)
    for step, batch in enumerate(whole):
        shares = [ranks[i % world][step].pair_indices[i // world] for i in range(4)]
        assert shares == batch.pair_indices


def test_a_pair_is_prepared_alike_on_any_number_of_ranks(
    table: ImageTable, pairs: list[Pair]
) -> None:
    whole = epoch_of(table, pairs)[1]
    half = epoch_of(table, pairs, rank=1, world=2)[1]
    assert torch.equal(half.images["sm"], whole.images["sm"][1::2])


@pytest.mark.parametrize("start_step", [0, 1, 2, 3])
def test_a_later_start_yields_exactly_the_rest(
    table: ImageTable, pairs: list[Pair], start_step: int
) -> None:
    whole = epoch_of(table, pairs, epoch=2)
    rest = epoch_of(table, pairs, epoch=2, start_step=start_step)
    assert digest(rest) == digest(whole[start_step:])


def test_threads_do_not_change_the_batches(table: ImageTable, pairs: list[Pair]) -> None:
    one = epoch_of(table, pairs, replace(CONFIG, {"threads": 1, "prefetch": 1}))
    many = epoch_of(table, pairs, replace(CONFIG, {"threads": 4, "prefetch": 8}))
    assert digest(one) == digest(many)


def test_a_batch_is_made_from_as_much_of_each_image_as_it_shows(
    make_pair_rows: Any, write_table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of the images' size, from a table that tells parts and from one of before."""
    noise = np.random.default_rng(0).integers(0, 4096, (4, 256, 192))
    rows = [make_pair_rows(f"k{number}", stored=one) for number, one in enumerate(noise)]
    table = ImageTable.open(write_table([row for pair in rows for row in pair]))
    pairs = build_pairs(table)
    sizes: list[int] = []
    read_at = LocalFolder.read_at

    def count(self: LocalFolder, name: str, offset: int, size: int) -> bytes:
        sizes.append(size)
        return read_at(self, name, offset, size)

    monkeypatch.setattr(LocalFolder, "read_at", count)
    told = digest(epoch_of(table, pairs))
    some, before = sum(sizes), with_heads(table.places.drop_columns(HEADS.names))
    sizes.clear()
    assert digest(epoch_of(change(table, places=before), pairs)) == told
    assert some < sum(sizes) / 8


@dataclass(frozen=True)
class Slow:
    """Storage that answers late and counts whom it keeps waiting."""

    inner: Storage
    latency_s: float
    busy: list[int] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    def sizes(self, folder: str) -> dict[str, int]:
        return self.inner.sizes(folder)

    def read(self, name: str) -> bytes:
        return self.inner.read(name)

    def read_at(self, name: str, offset: int, size: int) -> bytes:
        self.asked[threading.current_thread().name.split("_")[0]] += 1
        self.busy.append(1)
        time.sleep(self.latency_s)
        self.busy.append(-1)
        return self.inner.read_at(name, offset, size)


def slow(table: ImageTable, latency_s: float) -> tuple[ImageTable, Slow]:
    storage = Slow(table.storage, latency_s)
    return change(table, storage=storage), storage


def test_reads_wait_beside_each_other_and_no_more_than_allowed(
    table: ImageTable, pairs: list[Pair]
) -> None:
    behind, storage = slow(table, 0.02)
    config = replace(CONFIG, {"readers": 6, "threads": 1, "sampler.mode": "sequential"})
    assert digest(epoch_of(behind, pairs, config)) == digest(epoch_of(table, pairs, config))
    assert max(accumulate(storage.busy)) == 6


def reads_without_end(storage: Slow, expected: int) -> int:
    """Reads of a stream that nobody takes from, once there are as many as expected, and later."""
    for _ in range(500):
        if sum(storage.asked.values()) >= expected:
            break
        time.sleep(0.01)
    time.sleep(0.1)
    return sum(storage.asked.values())


def test_nothing_is_read_in_the_thread_that_trains(table: ImageTable, pairs: list[Pair]) -> None:
    behind, storage = slow(table, 0.0)
    epoch_of(behind, pairs)
    assert set(storage.asked) == {"mgray-read"}


@pytest.mark.parametrize("ahead", [2, 6])
def test_as_much_is_read_as_there_are_batches_ahead_also_over_the_end_of_an_epoch(
    table: ImageTable, pairs: list[Pair], ahead: int
) -> None:
    """An epoch has three steps."""
    behind, storage = slow(table, 0.0)
    place = {"rank": 0, "world": 1, "seed": 0}
    stream = endless(behind, pairs, replace(CONFIG, {"prefetch": ahead}), **place)
    next(stream)
    expected = (1 + ahead) * CONFIG.global_batch_size
    assert reads_without_end(storage, expected) == expected
    stream.close()  # type: ignore[attr-defined]  # a generator behind the Iterator


def test_a_run_is_its_epochs_one_after_the_other(table: ImageTable, pairs: list[Pair]) -> None:
    epochs = [batch for epoch in (0, 1, 2) for batch in epoch_of(table, pairs, epoch=epoch)]
    for start in (0, 2, 3, 7):
        run = endless(table, pairs, CONFIG, rank=0, world=1, seed=0, start=start)
        assert digest(list(islice(run, 9 - start))) == digest(epochs[start:])


def test_another_epoch_is_augmented_otherwise(table: ImageTable, pairs: list[Pair]) -> None:
    config = replace(CONFIG, {"sampler.mode": "sequential"})
    first, second = (epoch_of(table, pairs, config, epoch=e)[0] for e in (0, 1))
    assert first.pair_indices == second.pair_indices
    assert not torch.equal(first.images["sm"], second.images["sm"])


def test_one_pair_at_two_positions_is_augmented_twice(table: ImageTable, pairs: list[Pair]) -> None:
    found = epoch_of(table, pairs, replace(CONFIG, {"sampler.mode": "sequential"}))
    assert found[0].pair_indices[0] == found[3].pair_indices[1] == 0
    assert not torch.equal(found[0].images["sm"][0], found[3].images["sm"][1])


def test_without_augmentation_epochs_are_alike(table: ImageTable, pairs: list[Pair]) -> None:
    config = replace(CONFIG, {"sampler.mode": "sequential", "augment.enabled": False})
    assert digest(epoch_of(table, pairs, config)) == digest(epoch_of(table, pairs, config, epoch=1))


def test_steps_per_epoch_counts_the_batches(table: ImageTable, pairs: list[Pair]) -> None:
    assert len(epoch_of(table, pairs)) == Draws(pairs, CONFIG, seed=0).steps == 3


def test_a_batch_holds_both_images_of_a_pair(table: ImageTable, pairs: list[Pair]) -> None:
    config = replace(CONFIG, {"augment.gain": 0.0, "augment.bias": 0.0})
    place = {"rank": 0, "world": 1, "seed": 0, "epoch": 0}
    batch = next(iter(batches(table, pairs, config, ("sm", "ffdm"), **place)))
    assert batch.images["sm"].shape == (4, 3, 64, 48)
    assert torch.equal(batch.images["sm"], batch.images["ffdm"])  # equal pixels, equal draw
    assert [len(b) for b in batch.boxes["ffdm"]] == [len(label) for label in batch.labels]


def test_labels_come_with_the_right_pairs(table: ImageTable, pairs: list[Pair]) -> None:
    for batch in epoch_of(table, pairs):
        expected = [number % 3 == 0 for number in batch.pair_indices]
        assert batch.positive.tolist() == expected
        drawn = [[1] * (number % 3 == 0 and number < 12) for number in batch.pair_indices]
        assert [label.tolist() for label in batch.labels] == drawn


def test_a_cancer_that_nobody_drew_is_masked(table: ImageTable, pairs: list[Pair]) -> None:
    config = replace(CONFIG, {"sampler.mode": "sequential"})
    masked = [
        number
        for batch in epoch_of(table, pairs, config)
        for number, flag in zip(batch.pair_indices, batch.masked.tolist(), strict=True)
        if flag
    ]
    assert masked == [12]


@pytest.fixture
def one_sided(make_pair_rows: Any, make_finding: Any, write_table: Any) -> ImageTable:
    """Four pairs whose boxes are on the FFDM only, and four without any."""
    rows: list[Any] = []
    for number in range(8):
        found = [make_finding((10, 10, 30, 30))] if number < 4 else []
        rows += make_pair_rows(f"k{number}", stored=np.eye(80), ffdm={"annotations": found})
    return ImageTable.open(write_table(rows))


def test_a_box_on_the_ffdm_alone_teaches_a_detector_of_sm(one_sided: ImageTable) -> None:
    (batch,) = epoch_of(one_sided, build_pairs(one_sided)[:4])
    assert [label.tolist() for label in batch.labels] == [[1]] * 4
    assert not batch.masked.any()


def test_the_partners_findings_are_left_out_if_asked_for(one_sided: ImageTable) -> None:
    config = replace(CONFIG, {"partner_findings": False})
    (batch,) = epoch_of(one_sided, build_pairs(one_sided)[:4], config)
    assert [label.tolist() for label in batch.labels] == [[]] * 4
    assert batch.masked.all()


def test_a_lesion_that_augmentation_moved_out_is_no_background(one_sided: ImageTable) -> None:
    config = replace(CONFIG, {"augment.shift": 0.9, "augment.flip_vertical": 0.0})
    batches = [epoch_of(one_sided, build_pairs(one_sided)[:4], config, epoch=e)[0] for e in (0, 1)]
    gone = [not len(label) for batch in batches for label in batch.labels]
    assert any(gone)
    assert [flag for batch in batches for flag in batch.masked.tolist()] == gone


@pytest.mark.parametrize(("positives", "drawn"), [("malignant", 4), ("any_finding", 8)])
def test_benign_pairs_count_as_positive_if_asked_for(
    make_pair_rows: Any, make_finding: Any, write_table: Any, positives: str, drawn: int
) -> None:
    rows: list[Any] = []
    for number in range(12):
        pathology = ("malignant", "benign")[number % 2]
        found = [make_finding((10, 10, 30, 30), pathology=pathology)] if number < 4 else []
        rows += make_pair_rows(f"k{number:02}", annotations=found)
    pairs = build_pairs(ImageTable.open(write_table(rows)))
    config = replace(CONFIG, {"sampler.mode": "match", "sampler.positives": positives})
    assert Draws(pairs, config, seed=0).steps * 4 == drawn


def test_weights_are_one_unless_the_mode_is_weighted(table: ImageTable, pairs: list[Pair]) -> None:
    assert epoch_of(table, pairs)[0].weights.tolist() == [1.0] * 4


def test_weights_balance_the_global_batch(table: ImageTable, pairs: list[Pair]) -> None:
    config = replace(CONFIG, {"sampler.mode": "weighted", "global_batch_size": 12})
    batch = epoch_of(table, pairs, config)[0]
    weights, positive = batch.weights, batch.positive
    assert weights[positive].sum() == pytest.approx(float(weights[~positive].sum()))


def test_every_rank_has_the_weights_of_its_own_pairs(table: ImageTable, pairs: list[Pair]) -> None:
    config = replace(CONFIG, {"sampler.mode": "weighted", "global_batch_size": 12})
    for step, whole in enumerate(epoch_of(table, pairs, config)):
        for rank in (0, 1):
            mine = epoch_of(table, pairs, config, rank=rank, world=2)[step]
            assert torch.equal(mine.weights, whole.weights[rank::2])


def test_a_damaged_shard_stops_the_epoch(
    folder: Path, table: ImageTable, pairs: list[Pair]
) -> None:
    shard = folder / "images" / "part-00000.parquet"
    shard.write_bytes(bytes(len(shard.read_bytes())))
    with pytest.raises(DataError, match="damaged"):
        epoch_of(table, pairs)


def test_stopping_early_leaves_no_thread(table: ImageTable, pairs: list[Pair]) -> None:
    before = {*threading.enumerate()}
    stream = batches(table, pairs, CONFIG, rank=0, world=1, seed=0, epoch=0)
    next(stream)
    assert {*threading.enumerate()} - before
    stream.close()  # type: ignore[attr-defined]  # a generator behind the Iterator
    assert not {*threading.enumerate()} - before


def test_a_batch_that_ranks_cannot_share_is_refused(table: ImageTable, pairs: list[Pair]) -> None:
    with pytest.raises(ConfigError, match="expected at least the number of workers"):
        epoch_of(table, pairs, rank=0, world=99)


def test_an_empty_split_is_one_clear_line(table: ImageTable) -> None:
    with pytest.raises(DataError, match="no pairs"):
        epoch_of(table, [])


def test_a_batch_moves_to_a_device_whole(table: ImageTable, pairs: list[Pair]) -> None:
    moved = epoch_of(table, pairs)[0].to("meta")
    tensors = [*moved.images.values(), *moved.boxes["sm"], *moved.labels]
    tensors += [moved.positive, moved.masked, moved.weights]
    assert {t.device.type for t in tensors} == {"meta"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_batch_for_a_gpu_lies_in_pinned_memory(table: ImageTable, pairs: list[Pair]) -> None:
    (first, *_) = epoch_of(table, pairs, pin=True)
    assert first.images["sm"].is_pinned()
    assert torch.equal(first.to("cuda").images["sm"].cpu(), epoch_of(table, pairs)[0].images["sm"])


def test_pinning_is_asked_of_every_tensor(
    table: ImageTable, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GPU nothing can be pinned, but what would be can be counted."""
    seen: list[torch.Size] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda t: (seen.append(t.shape), t)[1])
    batch = epoch_of(table, pairs, pin=True)[0]
    assert batch.images["sm"].shape in seen
    assert len(seen) == 3 * (1 + 4 + 4 + 3)  # batches; image, boxes, labels, three flags
