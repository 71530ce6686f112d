"""Batches of a worker: which pairs, in which order, whatever the number of workers."""

from dataclasses import replace as change
from itertools import islice
from pathlib import Path

import pytest
import torch

from mgray.config import replace
from mgray.data.batches import Batch
from mgray.errors import NotFoundError
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.feed import Feed, FeedConfig, build_feed
from mgray.training.port import LocalPort


class OneOfTwo(LocalPort):
    """A port that says it is one of two workers."""

    world = 2

    def __init__(self, folder: Path, rank: int) -> None:
        super().__init__(folder)
        self.rank = rank


@pytest.fixture
def config(tiny: FusionRun) -> FeedConfig:
    return build_stages(tiny)[4].feed


@pytest.fixture
def feed(config: FeedConfig, tmp_path: Path) -> Feed:
    return build_feed(config, LocalPort(tmp_path))


def numbers(batches: list[Batch]) -> list[list[int]]:
    return [batch.pair_indices for batch in batches]


def test_the_stream_goes_on_past_the_epoch(feed: Feed) -> None:
    assert len(list(islice(feed.batches(0), 5))) == 5


def test_starting_later_gives_exactly_the_rest(feed: Feed) -> None:
    whole, rest = list(islice(feed.batches(0), 5)), list(islice(feed.batches(3), 2))
    assert numbers(whole[3:]) == numbers(rest)
    for one, other in zip(whole[3:], rest, strict=True):
        assert torch.equal(one.images["sm"], other.images["sm"])


def test_two_workers_share_the_batches_of_one(
    feed: Feed, config: FeedConfig, tmp_path: Path
) -> None:
    shares = [build_feed(config, OneOfTwo(tmp_path, rank)) for rank in (0, 1)]
    for whole, *parts in islice(
        zip(feed.batches(0), *(share.batches(0) for share in shares), strict=True), 3
    ):
        together = parts[0].pair_indices + parts[1].pair_indices
        assert sorted(together) == sorted(whole.pair_indices)


def test_validation_pairs_are_those_of_the_split_and_not_augmented(feed: Feed) -> None:
    assert {feed.val[i].split for batch in feed.validation() for i in batch.pair_indices} == {"val"}
    once, twice = next(feed.validation()), next(feed.validation())
    assert torch.equal(once.images["sm"], twice.images["sm"])
    assert len(feed.train) == 8


def test_workers_validate_equally_often(config: FeedConfig, tmp_path: Path) -> None:
    counts = [
        len(list(build_feed(config, OneOfTwo(tmp_path, rank)).validation())) for rank in (0, 1)
    ]
    assert counts[0] == counts[1] > 0


def test_a_missing_table_is_one_clear_line(config: FeedConfig, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no image table in"):
        build_feed(change(config, table=tmp_path), LocalPort(tmp_path))


def test_the_control_mismatches_what_is_trained_on_and_not_validation(
    feed: Feed, config: FeedConfig, tmp_path: Path
) -> None:
    wrong = build_feed(change(config, mismatched=True), LocalPort(tmp_path))
    assert all(
        one.rows["sm"] == other.rows["sm"] and one.rows["ffdm"] != other.rows["ffdm"]
        for one, other in zip(feed.train, wrong.train, strict=True)
    )
    assert wrong.val == feed.val


def test_boxes_are_withheld_from_training_and_not_from_validation(
    feed: Feed, config: FeedConfig, tmp_path: Path
) -> None:
    few = replace(config.data, {"boxed_share": 0.3})
    poor = build_feed(change(config, data=few), LocalPort(tmp_path))
    assert 0 < len(poor.train) < len(feed.train)
    assert poor.val == feed.val
