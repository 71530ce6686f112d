import json
import pickle

import numpy as np
import pytest

from mgray.dicom.pixels import read_stored
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.nyu_exam_list import NyuExamListSource
from tests.sources.kit import MARK
from tests.sources.mini_nyu import Nyu

BOX, OTHER = (8, 40, 18, 52), (4, 30, 12, 40)
LABEL = {"benign": 1, "malignant": 1, "unknown": 0, "left_benign": 1, "right_benign": 0,
         "left_malignant": 1, "right_malignant": 0}  # fmt: skip


@pytest.fixture
def nyu(tmp_path):
    return Nyu(tmp_path / "nyu")


@pytest.fixture
def rows(nyu, ingest_source, tmp_path):
    return lambda: ingest_source("nyu_exam_list", nyu.write(), tmp_path / "table")


def test_four_views_with_the_labels_of_their_side(nyu, rows):
    nyu.exam(cancer_label=LABEL)
    made = rows()
    told = {
        (row["laterality"], row["view"]): (row["pathology"], row["cancer"], row["label_source"])
        for row in made.rows.values()
    }
    left, right = ("malignant", 1, "pathology"), (None, 0, "assumed_normal")
    assert told == {("L", "CC"): left, ("L", "MLO"): left, ("R", "CC"): right, ("R", "MLO"): right}
    assert (made.manifest.exams, made.refused) == (1, {})


@pytest.mark.parametrize("told", [{}, {"cancer_label": {**LABEL, "unknown": 1}}])
def test_unknown_is_no_label(nyu, rows, told):
    nyu.exam(**told)
    assert {(row["cancer"], row["label_source"]) for row in rows().rows.values()} == {(None, None)}


def bomb():
    """A few hundred bytes that name 2 ** 64 values."""
    value = [0]
    for _ in range(64):
        value = [value, value]
    return value


@pytest.mark.parametrize("odd", [bomb(), b"bytes", {1: 2}, {"a": (b"",)}])
def test_values_that_no_list_has_are_one_line(nyu, odd):
    nyu.exam(more=odd)
    with pytest.raises(ConfigError, match="holds more than texts and numbers"):
        NyuExamListSource().catalog(nyu.write())


@pytest.mark.parametrize("told", [{"cancer_label": "malignant"}, {"cancer_label": [1]}])
def test_label_of_another_shape_is_one_line(nyu, told):
    nyu.exam(**told)
    with pytest.raises(ConfigError, match="exam 0 of the list: cancer_label must be a dict"):
        NyuExamListSource().catalog(nyu.write())


def test_view_of_another_shape_is_one_line(nyu):
    nyu.exam()["L-CC"] = "0_L_CC"
    with pytest.raises(ConfigError, match="exam 0 of the list: L-CC must be a list of stems"):
        NyuExamListSource().catalog(nyu.write())


def test_masks_become_boxes(nyu, rows):
    nyu.exam({"L-CC": ("malignant", BOX), "L-MLO": ("benign", BOX)})
    made = rows().rows
    for view, kind in (("L_CC", "malignant"), ("L_MLO", "benign")):
        row = made[f"images/0_{view}.png"]
        ys, xs = np.nonzero(read_stored(row) == MARK * 16)
        (one,) = row["annotations"]
        assert one["coords"] == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] == list(BOX)
        assert one["pathology"] == kind


def test_mirrored_exams_are_kept_as_stored(nyu, rows):
    nyu.exam(flip="YES")
    found = rows().rows.values()
    assert {row["laterality"]: row["pixels_face"] for row in found} == {"L": "left", "R": "right"}
    assert not any("laterality_tag_vs_pixels" in row["qc_flags"] for row in found)


def test_exam_that_is_not_mirrored_as_its_list_says_is_flagged(nyu, rows):
    nyu.exam(flip="YES")["horizontal_flip"] = "NO"
    assert all("laterality_tag_vs_pixels" in row["qc_flags"] for row in rows().rows.values())


def test_window_before_cropping_survives(nyu, rows):
    nyu.exam(window_location={"L-CC": [(np.int64(1), 2, 3, 4)]})
    row = rows().rows["images/0_L_CC.png"]
    assert json.loads(row["extra_json"])["window_location"] == {"L-CC": [[1, 2, 3, 4]]}


def test_every_image_of_a_view_has_its_own_mask(nyu, rows):
    """Lists of masks are as long as those of images, empty where an image has none."""
    exam = nyu.exam({"L-CC": ("malignant", BOX)})
    nyu.put("images/again.png", "right", OTHER)
    nyu.put_mask("again_malignant", OTHER)
    exam["L-CC"].insert(0, "again")
    exam["L-CC_malignant_seg"].insert(0, "again_malignant")
    nyu.put("images/third.png", "right")
    exam["L-CC"].append("third")
    exam["L-CC_malignant_seg"].append("")
    made = rows().rows
    told = {
        stem: [one["coords"] for one in made[f"images/{stem}.png"]["annotations"]]
        for stem in ("again", "0_L_CC", "third")
    }
    assert told == {"again": [list(OTHER)], "0_L_CC": [list(BOX)], "third": []}
    assert all("dup_view" not in row["qc_flags"] for row in made.values())


def test_list_after_cropping_is_read_and_what_it_adds_survives(nyu, rows):
    per_view = {
        "rightmost_points": {"L-CC": [((1, 2), 3)]},
        "bottommost_points": {"L-CC": [4]},
        "distance_from_starting_side": {"L-CC": [0]},
        "best_center": {"L-CC": [(5, 6)]},
    }
    nyu.exam(**per_view)
    nyu.write()
    before = nyu.root / "exam_list_before_cropping.pkl"
    before.rename(nyu.root / "exam_list_after_cropping.pkl")
    (one, *_) = NyuExamListSource().catalog(nyu.root).rows
    kept = json.loads(one.labels["extra_json"])
    assert kept["best_center"] == {"L-CC": [[5, 6]]}
    assert kept.keys() >= per_view.keys()


def test_stem_of_two_views_is_one_image_and_counted(nyu, rows):
    exam = nyu.exam()
    exam["R-CC"] = exam["L-CC"]
    made = rows()
    assert made.rows["images/0_L_CC.png"]["laterality"] == "L"
    assert (len(made.rows), made.warnings()["stems_doubled"]) == (3, 1)
    assert made.warnings()["files_not_named"] == 1


def test_picture_of_another_ones_name_is_left_out_and_counted(nyu):
    nyu.exam()
    nyu.put("copy/images/0_L_CC.png", "right")
    catalog = NyuExamListSource().catalog(nyu.write())
    assert len(catalog.rows) == 4
    assert {one.code: one.count for one in catalog.notices}["files_doubled"] == 1


@pytest.mark.parametrize(("exams", "said"), [(1, 0), (3, 3)])
def test_exams_count_as_patients_and_that_is_said(nyu, rows, exams, said):
    for _ in range(exams):
        nyu.exam()
    made = rows()
    assert made.manifest.patients == exams
    assert made.warnings().get("exams_as_patients", 0) == said


def test_partial_download_is_said(nyu):
    nyu.exam({"L-CC": ("malignant", BOX)})
    (nyu.root / "images" / "0_R_CC.png").unlink()
    (nyu.root / "segmentation" / "0_L_CC_malignant.png").unlink()
    source = NyuExamListSource()
    notices = {one.code: one.count for one in source.catalog(nyu.write()).notices}
    assert (notices["files_not_here"], notices["masks_not_here"]) == (1, 1)
    assert [(one.expected, one.found) for one in source.verify(nyu.root)] == [(None, 1), (4, 3)]


def test_wrong_folder_and_other_pickles_are_one_line(nyu):
    nyu.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for exam_list_before_cropping\.pkl or "):
        NyuExamListSource().catalog(nyu.root)
    path = nyu.root / "exam_list_before_cropping.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ConfigError, match="holds no list of exams"):
        NyuExamListSource().catalog(nyu.root)
    path.write_bytes(pickle.dumps([{"L-CC": ["a"]}]))
    with pytest.raises(ConfigError, match="exam 0 of the list: horizontal_flip must be YES or NO"):
        NyuExamListSource().catalog(nyu.root)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("exam_list_before_cropping", "images"), ("exam_list_after_cropping", "cropped_images")],
)
def test_list_before_cropping_takes_whole_pictures(nyu, name, folder):
    nyu.exam()
    for path in sorted((nyu.write() / "images").iterdir()):
        nyu.put(f"cropped_images/{path.name}", "right")
    (nyu.root / "exam_list_before_cropping.pkl").rename(nyu.root / f"{name}.pkl")
    catalog = NyuExamListSource().catalog(nyu.root)
    assert {row.path.partition("/")[0] for row in catalog.rows} == {folder}
    assert {one.code: one.count for one in catalog.notices}["files_doubled"] == 4
