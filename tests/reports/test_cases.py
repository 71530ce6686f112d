from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mgray.data.table import ImageTable
from mgray.errors import DataError
from mgray.metrics.config import HitConfig
from mgray.reports.cases import Cases, build_cases, lesions, visibility
from mgray.schema import PREDICTION

Row = dict[str, Any]
ChangedTable = Callable[[Callable[[Row], None]], Path]
HIT = HitConfig(min_radius_px=10)


def predicted(world: object) -> pa.Table:
    models = {"sm": None, "ffdm": None}
    parts = [rows for _, rows in world.predict(models, None, ["test", "val"])]
    return pa.concat_tables(parts)


def cases_of(world: object, predictions: pa.Table | None = None, split: str = "test") -> Cases:
    table = ImageTable.open(world.config.data)
    found = predicted(world) if predictions is None else predictions
    return build_cases(table, found, split, HIT)


def test_only_the_asked_split_is_measured(world: object) -> None:
    assert len(cases_of(world).pairs) == 10
    assert len(cases_of(world, split="val").pairs) == 4


def test_each_model_is_measured_on_its_own_image(world: object) -> None:
    assert cases_of(world).kinds == {"sm": "sm", "ffdm": "ffdm"}


def test_only_malignant_marks_count(world: object) -> None:
    scores = cases_of(world).outcomes["sm"].lesion_scores
    assert scores.tolist() == [0.9, -np.inf, -np.inf, 0.9, -np.inf, -np.inf]


def test_pairs_with_a_malignant_box_are_positive(world: object) -> None:
    assert cases_of(world).positive.tolist() == [True] * 6 + [False] * 4


def test_patients_are_positive_by_any_of_their_pairs(world: object) -> None:
    assert cases_of(world).patients.positive.tolist() == [True, True, True, False, False]


def test_a_pair_without_a_prediction_of_every_model_is_left_out(world: object) -> None:
    rows = [
        row
        for row in predicted(world).to_pylist()
        if (row["model"], row["pair_key"]) != ("sm", "test0")
    ]
    cases = cases_of(world, pa.Table.from_pylist(rows, schema=PREDICTION))
    assert len(cases.pairs) == 9
    assert cases.left_out["no prediction"] == 1


def test_a_prediction_on_a_foreign_image_is_an_error(world: object) -> None:
    rows = predicted(world).to_pylist()
    for row in rows:
        row["image_id"] = "other"
    with pytest.raises(DataError, match="not its pair's"):
        cases_of(world, pa.Table.from_pylist(rows, schema=PREDICTION))


def test_a_split_without_pairs_is_an_error(world: object) -> None:
    with pytest.raises(DataError, match="split train has no pair"):
        cases_of(world, split="train")


def test_visibility_joins_the_two_images_of_a_finding(world: object) -> None:
    assert visibility(cases_of(world), "sm") == ["ffdm"] * 6


def test_a_benign_box_is_no_lesion() -> None:
    row = {"annotations": [{"pathology": "benign", "shape": "box", "coords": [0, 0, 1, 1]}]}
    assert lesions(row) == []


def cases_of_table(world: object, folder: Path) -> Cases:
    return build_cases(ImageTable.open(folder), predicted(world), "test", HIT)


def test_a_benign_finding_leaves_its_pair_healthy(
    world: object, changed_table: ChangedTable
) -> None:
    def make_benign(row: Row) -> None:
        for finding in row["annotations"]:
            finding["pathology"] = "benign" if row["pair_key"] == "test0" else "malignant"

    cases = cases_of_table(world, changed_table(make_benign))
    assert cases.positive.tolist() == [False] + [True] * 5 + [False] * 4
    assert 0.9 in cases.outcomes["sm"].false_scores  # the mark on it is now a false positive


def test_a_known_cancer_without_a_box_is_left_out_and_counted(
    world: object, changed_table: ChangedTable
) -> None:
    def lose_boxes(row: Row) -> None:
        if row["pair_key"] == "test1":
            row["annotations"], row["cancer"] = [], 1

    cases = cases_of_table(world, changed_table(lose_boxes))
    assert "test1" not in [pair.pair_key for pair in cases.pairs]
    assert cases.left_out == {"no prediction": 0, "malignant without a box": 1}


def test_a_finding_drawn_on_one_image_counts_on_both(
    world: object, changed_table: ChangedTable
) -> None:
    def lose_ffdm(row: Row) -> None:
        if row["image_kind"] == "ffdm":
            row["annotations"] = []

    cases = cases_of_table(world, changed_table(lose_ffdm))
    assert cases.positive.sum() == 6
    assert cases.outcomes["ffdm"].positive.sum() == cases.outcomes["sm"].positive.sum() == 6
    assert visibility(cases, "sm") == ["unknown"] * 6


@pytest.mark.parametrize(
    ("ffdm", "sm", "word"),
    [
        (True, True, "both"),
        (True, False, "ffdm"),
        (False, True, "sm"),
        (False, False, "neither"),
        (None, True, "unknown"),
    ],
)
def test_each_visibility_has_its_word(
    world: object, changed_table: ChangedTable, ffdm: bool | None, sm: bool, word: str
) -> None:
    def show(row: Row) -> None:
        for finding in row["annotations"]:
            finding["visible"] = ffdm if row["image_kind"] == "ffdm" else sm

    assert set(visibility(cases_of_table(world, changed_table(show)), "ffdm")) == {word}


def test_the_pixel_spacing_of_each_image_scales_a_radius_in_mm(
    world: object, changed_table: ChangedTable
) -> None:
    def set_spacing(row: Row) -> None:
        row["imager_pixel_spacing_mm"] = [0.1, 0.3] if row["image_kind"] == "ffdm" else None

    cases = cases_of_table(world, changed_table(set_spacing))
    assert cases.images["ffdm"][0].spacing_mm == pytest.approx(0.2)
    assert cases.images["sm"][0].spacing_mm is None
