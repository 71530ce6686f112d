"""A run killed at any step goes on with the same pairs and, on CPU in fp32, the same losses."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from mgray.config import replace
from mgray.data.batches import Batch
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.feed import Feed, build_feed
from mgray.training.loop import fit
from mgray.training.port import LocalPort
from mgray.training.stages import Stage

STEPS = 5
Seen = list[tuple[list[int], str]]
"""Pairs and loss of each step."""


class KilledFeed(Feed):
    """Dies where the batch after ``left`` others is asked for."""

    left = STEPS

    def batches(self, start: int) -> Iterator[Batch]:
        for batch in super().batches(start):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            yield batch


def build(tiny: FusionRun, out: Path) -> Stage:
    """Resume states every other step; an epoch has four."""
    dotted = {
        "out": out, "train.steps.sm": STEPS, "train.checkpoint_every": 2,
        "train.validate_every": 100, "train.log_every": 100, "batches.global_batch_size": 2,
    }  # fmt: skip
    return next(stage for stage in build_stages(replace(tiny, dotted)) if stage.name == "sm")


def attempt(stage: Stage, seed: int = 0, kill_after: int = STEPS) -> Seen:
    """Train until killed; losses as hexadecimal, every bit of them."""
    torch.manual_seed(seed)  # of the initial weights
    port = LocalPort(stage.loop.folder)
    whole = build_feed(stage.feed, port)
    feed = KilledFeed(whole.table, [*whole.train, *whole.val], stage.feed, port)
    feed.left = kill_after
    task, seen = stage.build().train(), Seen()

    def note(_: Any, given: tuple[Batch], losses: dict[str, torch.Tensor]) -> None:
        if task.training:
            seen.append((given[0].pair_indices, losses["loss"].item().hex()))

    task.register_forward_hook(note)
    with suppress(KeyboardInterrupt):
        fit(task, feed, port, stage.loop)
    return seen


@pytest.fixture(scope="module")
def undisturbed(tiny: FusionRun, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return attempt(build(tiny, tmp_path_factory.mktemp("undisturbed")))


@pytest.mark.parametrize("killed", range(1, STEPS))
def test_a_run_killed_at_any_step_repeats_the_same_steps_to_the_last_bit(
    tiny: FusionRun, tmp_path: Path, undisturbed: Seen, killed: int
) -> None:
    stage, kept = build(tiny, tmp_path), killed - killed % 2
    assert attempt(stage, kill_after=killed) == undisturbed[:killed]
    other_seed = 99 if kept else 0  # a resume state holds all there is to know
    assert attempt(stage, other_seed) == undisturbed[kept:]


def test_a_run_takes_more_than_an_epoch_and_its_losses_differ(undisturbed: Seen) -> None:
    pairs, losses = zip(*undisturbed, strict=True)
    assert len(losses) == len(set(losses)) == STEPS
    assert len({tuple(sorted(numbers)) for numbers in pairs}) > 4
