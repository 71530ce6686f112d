import json

import numpy as np
import pytest

from mgray.dicom.pixels import read_stored
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.mini_mias import MiniMiasSource
from tests.sources.kit import MARK
from tests.sources.mini_mias import MiniMias

BOX = (200, 300, 280, 380)
"""Of a circle of radius 40 around x = 240, row = 340, which is y = 684 from the bottom."""
ROW = "G CIRC B 240 684 40"


@pytest.fixture
def mias(tmp_path):
    return MiniMias(tmp_path / "mias")


@pytest.fixture
def labels(mias):
    return lambda: {row.path: row.labels for row in MiniMiasSource().catalog(mias.write()).rows}


@pytest.fixture
def rows(mias, ingest_source, tmp_path):
    return lambda: ingest_source("mini_mias", mias.write(), tmp_path / "table")


def test_circle_counts_from_the_bottom(mias, rows):
    path = mias.image(2, ROW, box=BOX)
    row = rows().rows[path]
    (one,) = row["annotations"]
    ys, xs = np.nonzero(read_stored(row) == MARK // 16)
    seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert one["coords"] == seen == list(BOX)
    assert (one["categories"], one["pathology"]) == (["mass", "circumscribed"], "benign")
    assert (row["image_kind"], row["view"], row["imager_pixel_spacing_mm"]) == (
        "film", "MLO", [0.2, 0.2],
    )  # fmt: skip


def test_boxes_of_the_full_size_archive_are_dropped_and_said(mias, rows):
    path = mias.image(2, ROW, box=BOX)
    (mias.root / path).write_bytes(b"P5\n64 96\n255\n" + bytes(range(64)) * 96)
    row = rows().rows[path]
    assert row["annotations"] == []
    assert "size_contradicted" in row["qc_flags"]


def test_even_is_left_odd_is_right_and_two_are_a_patient(mias, rows):
    paths = [mias.image(number) for number in (1, 2, 3)]
    made = rows()
    told = [made.rows[path]["laterality"] for path in paths]
    patients = [made.rows[path]["patient_id"] for path in paths]
    assert told == ["R", "L", "R"]
    assert patients[0] == patients[1] != patients[2]


def test_side_is_checked_against_the_pixels(mias, rows):
    right, wrong = mias.image(2), mias.image(4, face="left")
    made = rows().rows
    assert "laterality_tag_vs_pixels" not in made[right]["qc_flags"]
    assert "laterality_tag_vs_pixels" in made[wrong]["qc_flags"]


def test_several_rows_are_one_image_labelled_by_the_worst(mias, labels):
    path = mias.image(5, "F CIRC B 477 133 30", "F SPIC M 500 168 26")
    told = labels()
    assert [*told] == [path]
    assert (told[path]["pathology"], told[path]["cancer"]) == ("malignant", 1)
    assert [one["pathology"] for one in told[path]["annotations"]] == ["benign", "malignant"]


@pytest.mark.parametrize("row", ["D CALC M *NOTE 3*", "F CIRC B"])
def test_abnormality_without_place_has_no_box(mias, row):
    mias.image(216, row)
    catalog = MiniMiasSource().catalog(mias.write())
    assert "annotations" not in catalog.rows[0].labels
    assert catalog.rows[0].labels["cancer"] == int(" M" in row)
    assert {one.code: one.count for one in catalog.notices}["findings_without_place"] == 1


def test_normal_is_the_readers_word(mias, labels):
    path = mias.image(3, "D NORM")
    told = labels()[path]
    assert told["cancer"] == 0
    assert not {"pathology", "label_source"} & told.keys()


def test_nobody_says_what_severity_rests_on(mias, labels):
    path = mias.image(2, ROW)
    told = labels()[path]
    assert (told["pathology"], told["cancer"]) == ("benign", 0)
    assert "label_source" not in told


def test_severity_and_note_survive(mias, labels):
    path = mias.image(216, "D CALC M *NOTE 3*")
    kept = {"kind": "CALC", "note": "*NOTE 3*", "severity": "M", "tissue": "D"}
    assert json.loads(labels()[path]["extra_json"]) == [kept]


def test_picture_of_another_ones_name_is_left_out_and_counted(mias):
    path = mias.image(2)
    (mias.root / "copy").mkdir()
    (mias.root / "copy" / path).write_bytes((mias.root / path).read_bytes())
    catalog = MiniMiasSource().catalog(mias.write())
    assert len(catalog.rows) == 1
    assert {one.code: one.count for one in catalog.notices}["files_doubled"] == 1


@pytest.mark.parametrize("row", ["H CIRC B 240 684 40", "G LUMP B 240 684 40", "G", ""])
def test_row_that_is_no_prose_and_no_row_names_its_line(mias, labels, row):
    mias.image(2, row)
    with pytest.raises(ConfigError, match=r"line 13 of Info\.txt: expected mdb and a number"):
        labels()


def test_tissue_is_no_birads_density(mias, labels):
    path = mias.image(3, "D NORM")
    told = labels()[path]
    assert "density" not in told
    assert json.loads(told["extra_json"])[0]["tissue"] == "D"


def test_file_is_known_by_its_own_hash(mias, rows):
    import hashlib

    path = mias.image(2)
    row = rows().rows[path]
    assert row["source_sha256"] == hashlib.sha256((mias.root / path).read_bytes()).hexdigest()


def test_broken_row_names_its_line(mias, labels):
    mias.image(2, "G CIRC B 240 684")
    with pytest.raises(ConfigError, match=r"line \d+ of Info\.txt: expected x, y and radius"):
        labels()


def test_partial_download_is_said(mias):
    mias.image(2, ROW)
    mias.image(4, "G NORM", file=False)
    source = MiniMiasSource()
    notices = {one.code: one.count for one in source.catalog(mias.write()).notices}
    assert notices["files_not_here"] == 1
    counts = {one.what: (one.expected, one.found) for one in source.verify(mias.root)}
    assert counts["rows of Info.txt"] == (330, 2)
    assert counts["normal rows"] == (207, 1)
    assert counts["pictures here"] == (322, 1)


def test_wrong_folder_and_other_text_are_one_line(mias):
    mias.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for Info\.txt or .* found nothing"):
        MiniMiasSource().catalog(mias.root)
    (mias.root / "Info.txt").write_text("dear diary\n")
    with pytest.raises(ConfigError, match="holds no row that begins with mdb"):
        MiniMiasSource().catalog(mias.root)
