import json

import numpy as np
import pytest

from mgray.dicom.pixels import read_display, read_stored
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.cmmd import CmmdSource
from tests.sources.mini_cmmd import Cmmd


@pytest.fixture
def cmmd(tmp_path):
    return Cmmd(tmp_path / "cmmd")


@pytest.fixture
def rows(cmmd, ingest_source, tmp_path):
    return lambda: ingest_source("cmmd", cmmd.write(), tmp_path / "table")


def test_labels_go_by_the_side_in_the_header(cmmd, rows):
    left, right = (cmmd.image("D1-0001", side) for side in "LR")
    cmmd.lesion("D1-0001", "L", "Malignant")
    cmmd.lesion("D1-0001", "R", "Benign")
    made = rows().rows
    assert (made[left]["pathology"], made[left]["cancer"]) == ("malignant", 1)
    assert (made[right]["pathology"], made[right]["cancer"]) == ("benign", 0)
    assert {row["label_source"] for row in made.values()} == {"pathology"}
    assert {row["label_level"] for row in made.values()} == {"breast"}


def test_side_that_the_table_lacks_is_assumed_normal_and_says_so(cmmd, rows):
    left, right = (cmmd.image("D1-0001", side) for side in "LR")
    cmmd.lesion("D1-0001", "R", "Malignant")
    made = rows().rows
    row = made[left]
    assert (row["cancer"], row["label_source"], row["pathology"]) == (0, "assumed_normal", None)
    assert "assumed_normal" in row["qc_flags"]
    assert "assumed_normal" not in made[right]["qc_flags"]


def test_side_with_two_lesions_has_the_worse(cmmd, rows):
    path = cmmd.image("D1-0001", "L")
    for kind in ("Malignant", "Benign"):
        cmmd.lesion("D1-0001", "L", kind)
    assert rows().rows[path]["pathology"] == "malignant"


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_view_is_read_from_its_code(cmmd, rows, view):
    path = cmmd.image("D1-0001", "L", view)
    assert rows().rows[path]["view"] == view


def test_eight_bits_stay_under_their_own_sigmoid_window(cmmd, rows):
    path = cmmd.image("D1-0001", "L")
    cmmd.lesion("D1-0001", "L")
    row = rows().rows[path]
    assert (row["bits_stored"], row["voi_lut_function"], row["window_width"]) == (
        8,
        "SIGMOID",
        [256],
    )
    assert read_stored(row).max() == 209
    shown = read_display(row)
    assert shown[0, 60] == 0
    assert shown[48, 5] > 0.5


def test_sixteen_bits_stay_under_their_own_window(cmmd, rows):
    """Two files of the release: never stretched as if they had 8 bits or 12."""
    path = cmmd.image("D1-0001", "L", bits_stored=16, WindowCenter=32768, WindowWidth=65536)
    cmmd.lesion("D1-0001", "L")
    row = rows().rows[path]
    stored = float(read_stored(row)[48, 5])
    assert (row["bits_stored"], row["window_center"]) == (16, [32768])
    assert stored >= 16_000
    assert read_display(row)[48, 5] == pytest.approx(
        1 / (1 + np.exp(-4 * (stored - 32768) / 65536)), abs=1e-3
    )
    assert read_display(row)[0, 60] == 0


def test_patient_that_the_table_lacks_is_the_folders(cmmd, rows):
    paths = [cmmd.image("D1-0009", side, PatientID="") for side in "LR"]
    cmmd.lesion("D1-0001", "L")
    made = rows()
    one, other = (made.rows[path] for path in paths)
    assert one["patient_id"] == other["patient_id"] == made.ids.patient("D1-0009")
    assert made.warnings()["images_without_labels"] == 2


def test_patient_is_one_exam_whatever_its_dates(cmmd, rows):
    for number in (1, 2):
        cmmd.image("D2-0001", "L", StudyInstanceUID=f"1.9.{number}")
    cmmd.lesion("D2-0001", "L")
    made = rows()
    assert (made.manifest.patients, made.manifest.exams) == (1, 1)


def test_what_is_not_mapped_survives(cmmd, rows):
    path = cmmd.image("D2-0001", "L")
    cmmd.lesion("D2-0001", "L", "Malignant", subtype="Luminal A")
    made = rows().rows[path]
    assert json.loads(made["extra_json"]) == [
        {"abnormality": "mass", "number": "2.0", "subtype": "Luminal A"}
    ]
    assert made["age"] == 44


def test_partial_download_is_said(cmmd):
    cmmd.image("D1-0001", "L")
    cmmd.image("D1-0009", "L")
    for patient in ("D1-0001", "D1-0002"):
        cmmd.lesion(patient, "L")
    source = CmmdSource()
    notices = {one.code: one.count for one in source.catalog(cmmd.write()).notices}
    assert notices == {"files_not_named": 1, "patients_not_here": 1, "rows_unsided": 0}
    counts = {one.what: (one.expected, one.found) for one in source.verify(cmmd.root)}
    assert counts["benign"] == (556, 2)
    assert counts["images here"] == (5_202, 2)


def test_wrong_folder_and_odd_cells_are_one_line(cmmd):
    cmmd.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for CMMD_clinicaldata_revision\.xlsx or "):
        CmmdSource().catalog(cmmd.root)
    cmmd.lesion("D1-0001", "L", "perhaps")
    with pytest.raises(ConfigError, match="classification must be one of benign, malignant"):
        CmmdSource().catalog(cmmd.write())


@pytest.mark.parametrize(
    ("own", "unsided", "expected"),
    [
        ("Benign", "Malignant", (None, None, None)),
        ("Benign", "Benign", ("benign", 0, "pathology")),
        ("Malignant", "Benign", ("malignant", 1, "pathology")),
    ],
)
def test_side_is_unknown_where_a_row_without_a_side_is_worse(cmmd, rows, own, unsided, expected):
    path = cmmd.image("D1-0001", "L")
    cmmd.lesion("D1-0001", "L", own)
    cmmd.lesion("D1-0001", "", unsided, subtype="Luminal A")
    made = rows()
    row = made.rows[path]
    assert (row["pathology"], row["cancer"], row["label_source"]) == expected
    assert json.loads(row["extra_json"])[1]["subtype"] == "Luminal A"
    assert made.warnings()["rows_unsided"] == 1


def test_nothing_is_assumed_where_a_row_names_no_side(tmp_path, ingest_source):
    cmmd = Cmmd(tmp_path / "cmmd")
    path = cmmd.image("D1-0007", "L")
    cmmd.lesion("D1-0007", "", "Malignant")
    row = ingest_source("cmmd", cmmd.write(), tmp_path / "table").rows[path]
    assert (row["cancer"], row["label_source"]) == (None, None)
