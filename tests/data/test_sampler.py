import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgray.data.config import Mode
from mgray.data.sampler import (
    SamplerConfig,
    class_weights,
    epoch_sequence,
    generator,
    rank_positions,
)
from mgray.errors import ConfigError, DataError

MODES: tuple[Mode, ...] = (
    "match", "class_uniform", "balanced_batch", "weighted", "uniform", "sequential",
)  # fmt: skip


def classes(positives: int, negatives: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.arange(positives + negatives) < positives)


def sequence(positive: np.ndarray, mode: Mode, batch: int = 4, epoch: int = 0) -> list[int]:
    config = SamplerConfig(mode=mode)
    return epoch_sequence(positive, config, batch, seed=7, epoch=epoch).tolist()


@settings(deadline=None)
@given(
    positives=st.integers(1, 50),
    negatives=st.integers(1, 200),
    per_rank=st.integers(1, 7),
    world=st.integers(1, 8),
    mode=st.sampled_from(MODES),
    epoch=st.integers(0, 1000),
)
def test_ranks_share_the_global_sequence_in_equal_parts(
    positives: int, negatives: int, per_rank: int, world: int, mode: Mode, epoch: int
) -> None:
    per_rank *= 2  # balanced batches are even
    batch = per_rank * world
    order = sequence(classes(positives, negatives), mode, batch, epoch)
    steps, rest = divmod(len(order), batch)
    assert steps >= 1
    assert rest == 0
    for step in range(steps):
        parts = [rank_positions(step, batch, rank, world) for rank in range(world)]
        assert {len(part) for part in parts} == {per_rank}
        together = sorted(position for part in parts for position in part)
        assert together == list(range(step * batch, (step + 1) * batch))


def test_ten_thousand_shapes_leave_no_rank_with_other_work_than_the_rest() -> None:
    """Every rank takes as many pairs in as many steps, or all of them are refused alike."""
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(10_000):
        positives, negatives = (int(10 ** random.uniform(0, 2.5)) - 1 for _ in range(2))
        world, mode = int(random.integers(1, 65)), MODES[random.integers(len(MODES))]
        batch = max(int(random.uniform(0.9, 5) * world), 1)
        config = SamplerConfig(mode=mode, positives="malignant")
        positive = np.arange(positives + negatives) < positives
        try:
            order = epoch_sequence(positive, config, batch, seed=0, epoch=int(random.integers(99)))
            steps, rest = divmod(len(order), batch)
            step = int(random.integers(steps))
            parts = [rank_positions(step, batch, rank, world) for rank in range(world)]
        except (ConfigError, DataError):
            refused += 1
            assert is_refused(mode, positives, negatives, batch, world)
            continue
        assert not is_refused(mode, positives, negatives, batch, world)
        assert (steps >= 1, rest) == (True, 0)
        sizes = [len(part) for part in parts]
        assert batch // world == min(sizes) >= max(sizes) - 1
        together = sorted(place for part in parts for place in part)
        assert together == list(range(step * batch, (step + 1) * batch))
        assert 0 <= order.min() <= order.max() < len(positive)
    assert 500 < refused < 5000


def is_refused(mode: Mode, positives: int, negatives: int, batch: int, world: int) -> bool:
    """Whether a shape leaves a rank without a pair, or there is nothing to draw."""
    needs = {"match": positives, "class_uniform": min(positives, negatives)}
    needs["balanced_batch"] = needs["class_uniform"] * (batch % 2 == 0)
    return batch < world or not needs.get(mode, positives + negatives)


@pytest.mark.parametrize("mode", MODES)
def test_sequences_are_the_same_for_ever(mode: Mode) -> None:
    """A changed sequence would make old runs impossible to repeat or resume."""
    order = sequence(classes(20, 100), mode, batch=8, epoch=3)
    digest = hashlib.sha256(np.array(order, dtype="<i8").tobytes()).hexdigest()[:8]
    assert digest == {
        "match": "572b2ca0", "class_uniform": "903121f1", "balanced_batch": "9cb04521",
        "weighted": "df8b9b74", "uniform": "df8b9b74", "sequential": "fc256ff9",
    }[mode]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_another_epoch_is_another_order_except_in_sequence(mode: Mode) -> None:
    positive = classes(20, 100)
    same = sequence(positive, mode, epoch=0) == sequence(positive, mode, epoch=1)
    assert same == (mode == "sequential")


def test_match_takes_all_positives_and_as_many_negatives() -> None:
    positive = classes(20, 1000)
    order = sequence(positive, "match")
    assert sorted(np.flatnonzero(positive)) == sorted(n for n in order if positive[n])
    assert sum(~positive[order]) == 20
    assert len(set(order)) == 40


def test_match_draws_new_negatives_each_epoch() -> None:
    positive = classes(20, 1000)
    first, second = (
        {n for n in sequence(positive, "match", epoch=e) if not positive[n]} for e in (0, 1)
    )
    assert len(first & second) < 5


def test_match_mixes_the_classes() -> None:
    """Seen without a shuffle, all positives would come first."""
    positive = classes(200, 1000)
    order = sequence(positive, "match")
    assert positive[order][:200].mean() == pytest.approx(0.5, abs=0.15)


def test_match_with_few_negatives_takes_each_once() -> None:
    assert Counter(sequence(classes(9, 3), "match")).most_common(1)[0][1] == 1


def test_match_drops_the_tail_that_fills_no_batch() -> None:
    assert len(sequence(classes(5, 50), "match", batch=4)) == 8


def test_class_uniform_draws_each_class_half_of_the_time() -> None:
    positive = classes(10, 9990)
    config = SamplerConfig(mode="class_uniform", draws_per_epoch=40_000)
    order = epoch_sequence(positive, config, 8, seed=0, epoch=0)
    assert len(order) == 40_000
    assert positive[order].mean() == pytest.approx(0.5, abs=0.01)
    assert len(np.unique(order[positive[order]])) == 10


@pytest.mark.parametrize("world", [1, 2, 4])
def test_balanced_batches_are_balanced_on_every_rank(world: int) -> None:
    positive = classes(20, 300)
    order = sequence(positive, "balanced_batch", batch=8)
    for step in range(len(order) // 8):
        for rank in range(world):
            mine = [order[p] for p in rank_positions(step, 8, rank, world)]
            assert positive[mine].mean() == 0.5


def test_balanced_batches_use_every_positive_once() -> None:
    positive = classes(20, 300)
    order = sequence(positive, "balanced_batch", batch=8)
    counts = Counter(n for n in order if positive[n])
    assert len(counts) == 20
    assert set(counts.values()) == {1}


@pytest.mark.parametrize("mode", ["uniform", "weighted"])
def test_uniform_visits_every_pair_once(mode: Mode) -> None:
    assert sorted(sequence(classes(3, 9), mode)) == list(range(12))


def test_sequential_fills_the_last_batch_from_the_start() -> None:
    assert sequence(classes(2, 4), "sequential", batch=4) == [0, 1, 2, 3, 4, 5, 0, 1]


def test_a_split_smaller_than_a_batch_still_gives_one_step() -> None:
    assert len(sequence(classes(1, 2), "uniform", batch=16)) == 16


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1))
def test_class_weights_balance_the_classes_of_a_batch(batch: list[bool]) -> None:
    positive = np.array(batch)
    weights = class_weights(positive)
    assert weights.mean() == pytest.approx(1)
    if positive.any() and not positive.all():
        assert weights[positive].sum() == pytest.approx(weights[~positive].sum())


def test_streams_of_random_numbers_differ_in_every_key() -> None:
    keys = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    drawn = {generator(s, e, p, stream=t).integers(2**60) for s, e, p, t in keys}
    assert len(drawn) == len(keys)


@pytest.mark.parametrize(
    ("mode", "positives", "negatives", "message"),
    [
        ("match", 0, 5, "no positive pair"),
        ("class_uniform", 5, 0, "5 positive and 0 negative"),
        ("balanced_batch", 0, 5, "needs both classes"),
        ("uniform", 0, 0, "split of the table is empty"),
    ],
)
def test_an_empty_class_is_one_clear_line(
    mode: Mode, positives: int, negatives: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        sequence(classes(positives, negatives), mode)


def test_an_odd_batch_cannot_be_balanced() -> None:
    with pytest.raises(ConfigError, match="needs an even one"):
        sequence(classes(5, 5), "balanced_batch", batch=3)


def test_a_batch_that_ranks_cannot_share_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"global_batch_size=3: expected at least.*\(4\)"):
        rank_positions(0, 3, rank=0, world=4)
