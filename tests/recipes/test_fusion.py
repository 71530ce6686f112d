"""The recipe's promises that need no training."""

import logging
from pathlib import Path

import pyarrow as pa
import pytest
from torch import nn

from mgray import schema
from mgray.config import replace
from mgray.data.config import AugmentConfig, DataConfig
from mgray.data.pairs import Pair
from mgray.data.storage import LocalFolder
from mgray.data.table import ImageTable
from mgray.errors import DataError
from mgray.models.config import DetectorConfig
from mgray.models.folder import WEIGHTS, ModelMeta
from mgray.models.saved import save_model
from mgray.recipes import fusion
from mgray.recipes.fusion import build_stages, check_data, smoke


def test_stages_come_in_the_papers_order() -> None:
    names = [stage.name for stage in build_stages(smoke())]
    assert names == ["untrained", "sm", "ffdm", "student", "fused", "upper_bound"]


def test_each_stage_reads_its_own_images() -> None:
    kinds = {stage.name: stage.feed.kinds for stage in build_stages(smoke())}
    assert kinds["sm"] == kinds["fused"] == ("sm",)
    assert kinds["ffdm"] == ("ffdm",)
    assert kinds["student"] == kinds["upper_bound"] == ("sm", "ffdm")


def test_uniform_sampling_of_stage_two_touches_no_other_stage() -> None:
    stages = build_stages(replace(smoke(), {"distillation.sampler": "uniform"}))
    modes = {stage.name: stage.feed.data.sampler.mode for stage in stages}
    assert modes.pop("student") == "uniform"
    assert set(modes.values()) == {smoke().batches.sampler.mode}


def test_stage_two_takes_the_pairs_without_boxes_too() -> None:
    stages = build_stages(replace(smoke(), {"batches.boxed_share": 0.2}))
    shares = {stage.name: stage.feed.data.boxed_share for stage in stages}
    assert shares.pop("student") == 1.0
    assert set(shares.values()) == {0.2}


def test_stage_two_may_have_an_augmentation_of_its_own() -> None:
    own = {"distillation.augment": AugmentConfig(rotation=1.0)}
    stages = build_stages(replace(smoke(), {"batches.augment.rotation": 30.0, **own}))
    turns = {stage.name: stage.feed.data.augment.rotation for stage in stages}
    assert turns.pop("student") == 1.0
    assert set(turns.values()) == {30.0}


def test_mismatched_pairs_are_those_of_stage_two_alone() -> None:
    stages = build_stages(replace(smoke(), {"distillation.pairs": "mismatched"}))
    assert [stage.name for stage in stages if stage.feed.mismatched] == ["student"]


def test_steps_are_set_by_stage() -> None:
    stages = build_stages(replace(smoke(), {"train.steps.student": 7}))
    assert {s.name: s.loop.steps for s in stages}["student"] == 7


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Pair]:
    """What a table is said to hold."""
    pairs: list[Pair] = []
    empty = ImageTable(LocalFolder(Path()), schema.INDEX.empty_table(), schema.PLACE.empty_table())
    monkeypatch.setattr(fusion.ImageTable, "open", lambda _: empty)
    monkeypatch.setattr(fusion, "build_pairs", lambda _: pairs)
    return pairs


def pair(split: str, *drawn: str, malignant: bool = True) -> Pair:
    return Pair("k", "p", split, {}, malignant, None, drawn=frozenset(drawn))


def test_pairs_with_a_box_on_one_image_only_are_counted(
    found: list[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found += [pair("train", "ffdm"), pair("train", "ffdm", "sm"), pair("val")]
    check_data(Path(), DataConfig())
    assert (
        "1 pairs have malignant boxes on one image only: carried over to the other" in caplog.text
    )


@pytest.mark.parametrize(
    ("train", "partner_findings", "message"),
    [
        (pair("train", malignant=False), True, "no training pair is malignant"),
        (pair("train"), True, "no training image has a malignant box"),
        (pair("train", "ffdm"), False, "no SM for training has a malignant box"),
        (pair("train", "sm"), False, "no FFDM for training has a malignant box"),
    ],
)
def test_a_table_that_teaches_nothing_is_refused(
    found: list[Pair], train: Pair, partner_findings: bool, message: str
) -> None:
    found += [train, pair("val")]
    with pytest.raises(DataError, match=message):
        check_data(Path(), DataConfig(partner_findings=partner_findings))


def test_a_model_names_the_licences_of_all_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = pa.table({"licence_tag": ["EMBED", "CC0-1.0", None, "EMBED"]})
    table = ImageTable(LocalFolder(Path()), tags, schema.PLACE.empty_table())
    monkeypatch.setattr(fusion.ImageTable, "open", lambda _: table)
    assert fusion._licences(Path(), "coco") == ("CC0-1.0", "EMBED", "unknown")


def test_a_model_names_the_licences_of_what_it_started_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tags = pa.table({"licence_tag": ["CC0-1.0"]})
    table = ImageTable(LocalFolder(Path()), tags, schema.PLACE.empty_table())
    monkeypatch.setattr(fusion.ImageTable, "open", lambda _: table)
    meta = ModelMeta(
        kind="detector", inputs=("sm",), detector=DetectorConfig(), data_licences=("EMBED",)
    )
    save_model(tmp_path / "sm", nn.Linear(1, 1), meta)
    assert fusion._licences(Path(), str(tmp_path / "sm" / WEIGHTS)) == ("CC0-1.0", "EMBED")
    assert fusion._licences(Path(), str(tmp_path / "foreign.pth")) == ("CC0-1.0", "unknown")
