import json

import pytest

from mgray.dicom.limits import Limits
from mgray.dicom.record import iter_frames
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.bcs_dbt import BcsDbtSource
from tests.sources.kit import MARK, marked
from tests.sources.mini_bcs_dbt import CLASSES, BcsDbt, upside_down

LEFT, RIGHT = (8, 30, 18, 42), (46, 30, 58, 42)


@pytest.fixture
def dbt(tmp_path):
    return BcsDbt(tmp_path / "dbt")


@pytest.fixture
def labels(dbt):
    return lambda: {row.path: row.labels for row in BcsDbtSource().catalog(dbt.write()).rows}


@pytest.fixture
def rows(ingest_source, tmp_path):
    return lambda dbt: ingest_source("bcs_dbt", dbt.write(), tmp_path / "table", volumes="mip")


@pytest.mark.parametrize(("view", "box"), [("lcc", LEFT), ("rmlo", RIGHT)])
def test_box_of_an_upright_volume_is_where_it_is(dbt, rows, view, box):
    path, key = dbt.volume(view, "Cancer", box=box)
    dbt.box(key, box)
    row = rows(dbt).rows[path]
    (one,) = row["annotations"]
    assert one["coords"] == marked(row) == list(box)
    assert (one["frame_index"], one["pathology"]) == (1, "malignant")
    assert "orient_rotated" not in row["qc_flags"]


@pytest.mark.parametrize(("view", "box"), [("lcc", LEFT), ("rmlo", RIGHT)])
def test_box_of_a_turned_volume_is_mapped_back(dbt, rows, view, box):
    path, key = dbt.volume(view, "Cancer", box=box, turned=True)
    dbt.box(key, box)
    made = rows(dbt)
    row = made.rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [upside_down(box)]
    assert "orient_rotated" in row["qc_flags"]
    assert made.warnings()["orient_rotated"] == 1


def test_side_of_the_view_wins_over_the_headers_l(dbt, rows):
    path, _ = dbt.volume("rcc")
    made = rows(dbt)
    assert (made.rows[path]["laterality"], made.rows[path]["view"]) == ("R", "CC")
    assert made.warnings()["laterality_contradicted"] == 1
    assert "laterality_tag_vs_pixels" not in made.rows[path]["qc_flags"]


def test_turned_volume_without_boxes_is_flagged_too(dbt, rows):
    path, _ = dbt.volume("rcc", turned=True)
    flags = set(rows(dbt).rows[path]["qc_flags"])
    assert "orient_rotated" in flags
    assert "laterality_tag_vs_pixels" not in flags


@pytest.mark.parametrize(
    ("label", "pathology", "cancer", "source"),
    [
        ("Normal", None, 0, "registry"),
        ("Actionable", None, None, "registry"),
        ("Benign", "benign", 0, "pathology"),
        ("Cancer", "malignant", 1, "pathology"),
    ],
)
def test_class_becomes_pathology_and_cancer(dbt, labels, label, pathology, cancer, source):
    path, _ = dbt.volume(label=label)
    told = labels()[path]
    assert (told.get("pathology"), told.get("cancer"), told["label_source"]) == (
        pathology, cancer, source,
    )  # fmt: skip
    assert json.loads(told["extra_json"])["classes"] == [label]


@pytest.mark.parametrize("what", ["file-paths", "labels", "boxes"])
def test_tables_of_two_releases_are_refused(dbt, labels, what):
    _, key = dbt.volume(label="Cancer", box=LEFT)
    dbt.box(key, LEFT)
    root = dbt.write()
    old = root / f"BCS-DBT {what}-train-v1.csv"
    old.write_text((root / f"BCS-DBT {what}-train-v2.csv").read_text())
    with pytest.raises(ConfigError, match=f"2 tables of {what} for the split train, expected one"):
        labels()


def test_turning_is_decided_once_for_the_volume_not_by_a_slice(dbt, rows):
    """By its edges the first slice, or the marked one, would turn: the volume does not."""
    path, key = dbt.volume("lcc", "Cancer", box=LEFT, at=1, frames=5, odd=(0, 1))
    dbt.box(key, LEFT)
    frames = iter_frames((dbt.root / path).read_bytes(), Limits())
    assert [one[:, 0].sum() > one[:, -1].sum() for one in frames] == [False, False, *[True] * 3]
    row = rows(dbt).rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [list(LEFT)]
    assert "orient_rotated" not in row["qc_flags"]


def test_turned_volume_is_turned_whole_whatever_its_first_slice_shows(dbt, rows):
    path, key = dbt.volume("rcc", "Cancer", box=RIGHT, at=2, frames=5, odd=(0,), turned=True)
    dbt.box(key, RIGHT, at=2)
    row = rows(dbt).rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [upside_down(RIGHT)]
    assert "orient_rotated" in row["qc_flags"]


@pytest.mark.parametrize("at", [0, 2])
def test_slice_counts_from_0(dbt, rows, at):
    """The frame that is named holds the mark, none beside it does."""
    path, key = dbt.volume("lcc", "Cancer", box=LEFT, at=at)
    dbt.box(key, LEFT, at=at)
    (one,) = rows(dbt).rows[path]["annotations"]
    data = (dbt.root / path).read_bytes()
    held = [number for number, frame in enumerate(iter_frames(data, Limits())) if MARK in frame]
    assert [one["frame_index"]] == held == [at]


def test_volumes_have_no_spacing_and_a_window_of_their_frames(dbt, rows):
    path, _ = dbt.volume()
    row = rows(dbt).rows[path]
    assert (row["imager_pixel_spacing_mm"], row["pixel_spacing_mm"]) == (None, None)
    assert (row["window_center"], row["window_width"]) == ([700], [1100])


def test_names_with_a_hyphen_are_found(dbt):
    path, _ = dbt.volume(label="Cancer")
    for table in dbt.write().glob("*.csv"):
        table.rename(table.with_name(table.name.replace("BCS-DBT ", "BCS-DBT-")))
    (row,) = BcsDbtSource().catalog(dbt.root).rows
    assert (row.path, row.labels["cancer"]) == (path, 1)


def test_box_without_a_class_is_not_benign(dbt, labels):
    path, key = dbt.volume(label="Cancer")
    dbt.box(key, LEFT, kind="")
    assert [one["pathology"] for one in labels()[path]["annotations"]] == [None]
    notices = {one.code: one.count for one in BcsDbtSource().catalog(dbt.root).notices}
    assert notices["boxes_unclassed"] == 1


@pytest.mark.parametrize("held", [("Normal", "Actionable"), ("Benign", "Cancer"), ()])
def test_classes_that_are_not_one_are_no_label(dbt, labels, held):
    path, _ = dbt.volume()
    dbt.labels["train"][0].update({**dict.fromkeys(CLASSES, 0), **dict.fromkeys(held, 1)})
    told = labels()[path]
    assert not {"cancer", "pathology", "label_source"} & told.keys()
    notices = {one.code: one.count for one in BcsDbtSource().catalog(dbt.root).notices}
    assert notices["class_unclear"] == 1


def test_volume_without_a_row_of_labels_is_counted(dbt, labels):
    path, _ = dbt.volume()
    dbt.volume()
    dbt.labels["train"].pop(0)
    assert "cancer" not in labels()[path]
    notices = {one.code: one.count for one in BcsDbtSource().catalog(dbt.root).notices}
    assert notices["labels_missing"] == 1


@pytest.mark.parametrize("classic", [True, False])
@pytest.mark.parametrize("release", ["-v2", "-PHASE-2", "-PHASE-2-Jan-2024"])
def test_volumes_are_found_under_either_path_in_every_release(tmp_path, rows, classic, release):
    dbt = BcsDbt(tmp_path / "dbt", release, classic)
    path, _ = dbt.volume()
    assert [*rows(dbt).rows] == [path]


def test_exam_is_that_of_the_table_not_the_headers(dbt, rows):
    path, key = dbt.volume()
    made = rows(dbt)
    assert made.rows[path]["exam_id"] == made.ids.exam(key["StudyUID"], key["PatientID"])


def test_splits_are_official(dbt, rows):
    told = {dbt.volume(split=name)[0]: name for name in ("train", "validation", "test")}
    made = rows(dbt).rows
    found = {told[path]: row["split"] for path, row in made.items()}
    assert found == {"train": "train", "validation": "val", "test": "test"}


def test_patient_in_two_splits_is_train_and_said(dbt, rows):
    for split in ("train", "test"):
        dbt.volume(split=split, patient="DBT-P00009")
    made = rows(dbt)
    assert {row["split"] for row in made.rows.values()} == {"train"}
    assert made.warnings()["split_leak"] == 2


def test_repeated_views_are_flagged(dbt, labels):
    first, key = dbt.volume("lcc")
    again, _ = dbt.volume("lcc2", patient=key["PatientID"])
    dbt.paths["train"][-1]["StudyUID"] = dbt.labels["train"][-1]["StudyUID"] = key["StudyUID"]
    told = labels()
    assert [told[path]["qc_flags"] for path in (first, again)] == [["dup_view"]] * 2


def test_volumes_are_refused_unless_asked_for(dbt, ingest_source, tmp_path):
    path, _ = dbt.volume()
    made = ingest_source("bcs_dbt", dbt.write(), tmp_path / "table")
    assert made.refused == {path: "unsupported_kind"}


def test_what_is_not_mapped_survives(dbt, labels):
    path, key = dbt.volume(label="Benign")
    dbt.box(key, LEFT, kind="benign")
    kept = json.loads(labels()[path]["extra_json"])
    assert kept["boxes"] == [{"AD": "0", "Subject": key["PatientID"], "VolumeSlices": "3"}]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_volumes_that_the_tables_lack_are_left_out_and_counted(dbt, rows, split):
    """Their headers would say L, and their patients' split nobody; of several patients."""
    listed = []
    for _ in range(4):
        path, key = dbt.volume("lcc", split=split)
        listed.append(path)
        dbt.volume("rmlo", split=split, patient=key["PatientID"], ViewPosition="MLO")
        dbt.paths[split].pop()
    made = rows(dbt)
    assert ([*made.rows], made.refused) == (listed, {})
    assert {row["split"] for row in made.rows.values()} == {{"validation": "val"}.get(split, split)}
    assert made.warnings()["files_not_named"] == 4


def test_volume_of_another_ones_name_is_left_out_and_counted(dbt):
    path, _ = dbt.volume()
    again = dbt.root / path.replace("manifest-1", "manifest-2")
    again.parent.mkdir(parents=True)
    again.write_bytes((dbt.root / path).read_bytes())
    catalog = BcsDbtSource().catalog(dbt.write())
    assert [row.path for row in catalog.rows] == [path]
    assert {one.code: one.count for one in catalog.notices}["files_doubled"] == 1


def test_partial_download_is_said(dbt):
    dbt.volume()
    _, key = dbt.volume(file=False)
    dbt.box(key, LEFT)
    source = BcsDbtSource()
    notices = {one.code: one.count for one in source.catalog(dbt.write()).notices}
    assert notices["files_not_here"] == 1
    counts = {one.what: (one.expected, one.found) for one in source.verify(dbt.root)}
    assert counts["volumes, train"] == (19_148, 2)
    assert counts["boxes, train"] == (224, 1)
    assert counts["volume files here"] == (22_032, 1)


def test_wrong_folder_and_other_columns_are_one_line(dbt):
    dbt.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for BCS-DBT\[- \]labels-\*\.csv or "):
        BcsDbtSource().catalog(dbt.root)
    dbt.volume()
    dbt.labels["train"][0].pop("Actionable")
    with pytest.raises(ConfigError, match="lacks the columns 'Actionable' of BCS-DBT"):
        BcsDbtSource().catalog(dbt.write())


def test_odd_view_is_an_error(dbt, labels):
    dbt.volume("lcc")
    dbt.paths["train"][0]["View"] = "left"
    with pytest.raises(ConfigError, match="View must be lcc, lmlo, rcc or rmlo"):
        labels()


def test_rows_that_stand_twice_take_no_box_away_and_add_none(dbt):
    _, key = dbt.volume(label="Cancer")
    dbt.box(key, LEFT)
    dbt.box(key, LEFT)
    dbt.paths["train"] *= 2
    catalog = BcsDbtSource().catalog(dbt.write())
    assert [len(row.labels["annotations"]) for row in catalog.rows] == [1]
    assert {one.code: one.count for one in catalog.notices}["rows_doubled"] == 2


@pytest.mark.parametrize("file", [True, False])
def test_split_of_a_patient_does_not_move_as_a_download_grows(dbt, labels, file):
    path, _ = dbt.volume(split="test", patient="P9")
    dbt.volume(split="train", patient="P9", file=file)
    told = labels()[path]
    assert (told["split"], told["split_official"]) == ("train", "test")
    assert told["qc_flags"] == ["split_leak"]
