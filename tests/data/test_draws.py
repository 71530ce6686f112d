"""The steps of a run go on over epochs, from wherever it stopped, with any number of ranks."""

import hashlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from mgray.config import replace
from mgray.data.config import DataConfig, Mode
from mgray.data.draws import Draws
from mgray.data.pairs import Pair
from mgray.data.sampler import rank_positions

MODES: tuple[Mode, ...] = (
    "match", "class_uniform", "balanced_batch", "weighted", "uniform", "sequential",
)  # fmt: skip


def pairs(positives: int, negatives: int) -> list[Pair]:
    """Positives spread among the others."""
    order = np.random.default_rng(0).permutation(positives + negatives)
    return [
        Pair(f"{n}", "p", "train", {}, bool(at < positives), None) for n, at in enumerate(order)
    ]


def draws(mode: Mode, batch: int, positives: int = 30, negatives: int = 200) -> Draws:
    config = replace(DataConfig(), {"sampler.mode": mode, "global_batch_size": batch})
    return Draws(pairs(positives, negatives), config, seed=5)


def taken(found: Draws, start: int, steps: int, world: int) -> list[int]:
    """Pairs in global order, put together from what each rank takes for itself."""
    order: list[int] = []
    for step in islice(found.endless(start), steps):
        batch = np.full(len(step.numbers), -1)
        for rank in range(world):
            places = rank_positions(step.step, len(batch), rank, world)
            batch[[place % len(batch) for place in places]] = step.numbers[rank::world]
        order += batch.tolist()
    return order


def digest(order: list[int]) -> str:
    return hashlib.sha256(np.array(order, dtype="<i8").tobytes()).hexdigest()


@pytest.mark.parametrize("mode", MODES)
def test_the_sequence_has_one_hash_for_every_world_that_shares_the_batch(mode: Mode) -> None:
    for batch in (48, 60, 64):
        worlds = [world for world in range(1, 65) if batch % world == 0]
        found = draws(mode, batch)
        assert len({digest(taken(found, 0, 9, world)) for world in worlds}) == 1


@pytest.mark.parametrize("mode", sorted(set(MODES) - {"balanced_batch"}))
def test_the_sequence_has_one_hash_for_worlds_1_to_64_of_one_pair_each(mode: Mode) -> None:
    """The batch grows with the world; an epoch differs by no more than the tail it drops."""
    first = [
        taken(found, 0, found.steps, world)[:192]
        for world in range(1, 65)
        for found in (draws(mode, batch=world, positives=130, negatives=200),)
    ]
    assert {len(order) for order in first} == {192}
    assert len({digest(order) for order in first}) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_run_goes_on_where_it_stopped_with_another_number_of_ranks(mode: Mode) -> None:
    found = draws(mode, batch=12)
    whole, order, at = taken(found, 0, 60, 1), list[int](), 0
    for steps, world in ((1, 4), (7, 2), (13, 12), (20, 1), (19, 3)):
        order += taken(found, at, steps, world)
        at += steps
    assert order == whole


@pytest.mark.parametrize("mode", MODES)
def test_starting_at_any_step_gives_exactly_the_rest(mode: Mode) -> None:
    found = draws(mode, batch=8)
    whole = taken(found, 0, 40, 1)
    for start in range(40):
        assert taken(found, start, 40 - start, 1) == whole[start * 8 :]


def test_the_next_epoch_begins_with_its_own_first_step() -> None:
    found = draws("uniform", batch=8)
    last, first = islice(found.endless(found.steps - 1), 2)
    assert (last.epoch, last.step, first.epoch, first.step) == (0, found.steps - 1, 1, 0)
    assert first.numbers.tolist() == next(found.epoch(1)).numbers.tolist()


def train_shapes(rank: int, world: int, folder: str) -> None:
    """Step through an epoch of each of some random shapes under DDP, each rank with its pairs."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world
    )
    random, steps = np.random.default_rng(3), []  # the same shapes in every process
    for number in range(12):
        counts = [int(count) for count in random.integers(1, 40, 2)]
        found = draws(MODES[number % len(MODES)], 2 * world, *counts)
        model = DistributedDataParallel(nn.Linear(1, 1))
        for step in found.epoch(number):
            mine = torch.tensor(step.numbers[rank::world], dtype=torch.float32)
            model(mine[:, None]).sum().backward()
        steps.append(found.steps)
    distributed.barrier()
    Path(folder, f"rank_{rank}").write_text(str(steps))
    distributed.destroy_process_group()


def test_real_processes_of_any_shape_end_together(tmp_path: Path) -> None:
    """A rank with a step more than the others would wait for them without end."""
    multiprocessing.spawn(train_shapes, (2, str(tmp_path)), nprocs=2)
    told = {(tmp_path / f"rank_{rank}").read_text() for rank in range(2)}
    assert len(told) == 1
    assert max(map(int, told.pop().strip("[]").split(","))) > 5
