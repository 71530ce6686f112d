import logging
from typing import Any

import pytest

from mgray.data.pairs import Pair, build_pairs
from mgray.data.table import ImageTable
from mgray.errors import DataError


def pairs_of(rows: list[dict[str, Any]], write_table: Any) -> list[Pair]:
    return build_pairs(ImageTable.open(write_table(rows, shards=1)))


def test_pairs_come_sorted_by_key(make_pair_rows: Any, write_table: Any) -> None:
    rows = [*make_pair_rows("b"), *make_pair_rows("a"), *make_pair_rows("c")]
    assert [pair.pair_key for pair in pairs_of(rows, write_table)] == ["a", "b", "c"]


def test_a_pair_names_the_row_of_each_kind(make_pair_rows: Any, write_table: Any) -> None:
    rows = list(reversed(make_pair_rows("a", density="c", split="val")))
    (pair,) = pairs_of(rows, write_table)
    assert pair == Pair("a", "patient of a", "val", {"sm": 1, "ffdm": 0}, False, "c")


@pytest.mark.parametrize("keep", [0, 1])
def test_an_image_without_partner_is_left_out_and_counted(
    make_pair_rows: Any, write_table: Any, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rows = [*make_pair_rows("a"), make_pair_rows("b")[keep]]
    assert [pair.pair_key for pair in pairs_of(rows, write_table)] == ["a"]
    assert "1 pairs, 1 images without exactly one partner" in caplog.text


def test_two_candidates_for_one_place_make_no_pair(make_pair_rows: Any, write_table: Any) -> None:
    rows = [*make_pair_rows("a"), make_pair_rows("a")[1]]
    assert pairs_of(rows, write_table) == []


def test_images_of_no_pair_role_are_left_out(
    make_row: Any, make_pair_rows: Any, write_table: Any
) -> None:
    rows = [*make_pair_rows("a"), make_row(pair_key="a", pair_role="none"), make_row()]
    assert len(pairs_of(rows, write_table)) == 1


@pytest.mark.parametrize("kind", ["sm", "ffdm"])
def test_a_malignant_finding_in_either_image_makes_the_pair_malignant(
    make_pair_rows: Any, make_finding: Any, write_table: Any, kind: str
) -> None:
    rows = make_pair_rows("a", **{kind: {"annotations": [make_finding((1, 1, 9, 9))]}})
    assert pairs_of(rows, write_table)[0].malignant


def test_the_cancer_label_alone_makes_the_pair_malignant(
    make_pair_rows: Any, write_table: Any
) -> None:
    assert pairs_of(make_pair_rows("a", ffdm={"cancer": 1}), write_table)[0].malignant


def test_benign_findings_and_unknown_labels_do_not(
    make_pair_rows: Any, make_finding: Any, write_table: Any
) -> None:
    benign = make_finding((1, 1, 9, 9), pathology="benign")
    rows = make_pair_rows("a", annotations=[benign], cancer=None)
    assert not pairs_of(rows, write_table)[0].malignant


def test_a_pair_knows_which_images_have_a_malignant_box(
    make_pair_rows: Any, make_finding: Any, write_table: Any
) -> None:
    drawn, point = make_finding((1, 1, 9, 9)), make_finding((1, 1, 9, 9), shape="point")
    rows = make_pair_rows("a", sm={"annotations": [point]}, ffdm={"annotations": [drawn]})
    assert pairs_of(rows, write_table)[0].drawn == {"ffdm"}


@pytest.mark.parametrize("pathology", ["benign", "high_risk"])
def test_a_benign_finding_in_either_image_makes_the_pair_benign(
    make_pair_rows: Any, make_finding: Any, write_table: Any, pathology: str
) -> None:
    found = [make_finding((1, 1, 9, 9), pathology=pathology)]
    rows = [*make_pair_rows("a", ffdm={"annotations": found}), *make_pair_rows("b")]
    assert [pair.benign for pair in pairs_of(rows, write_table)] == [True, False]


@pytest.mark.parametrize("column", ["patient_id", "split"])
def test_a_pair_that_contradicts_itself_is_an_error(
    make_pair_rows: Any, write_table: Any, column: str
) -> None:
    with pytest.raises(DataError, match=f"differ in {column}"):
        pairs_of(make_pair_rows("a", ffdm={column: "test"}), write_table)
