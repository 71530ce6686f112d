import json

import numpy as np
import pytest
from pydicom import dcmread

from mgray.data.table import INDEX_COLUMNS
from mgray.dicom.pixels import read_display, read_stored
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.rsna import RsnaSource
from tests.sources.kit import breast, put_image, put_table
from tests.sources.mini_rsna import Rsna


@pytest.fixture
def rsna(tmp_path):
    return Rsna(tmp_path / "rsna")


def read_raw(path):
    return dcmread(path).pixel_array


@pytest.fixture
def labels(rsna):
    return lambda: {row.path: row.labels for row in RsnaSource().catalog(rsna.write()).rows}


@pytest.fixture
def rows(rsna, ingest_source, tmp_path):
    return lambda: ingest_source("rsna", rsna.write(), tmp_path / "table")


def test_labels_of_a_breast_stand_on_each_of_its_images(rsna, rows):
    paths = [rsna.image(10006, "L", view, cancer=1, biopsy=1) for view in ("CC", "MLO")]
    other = rsna.image(10006, "R")
    made = rows().rows
    assert [made[path]["cancer"] for path in [*paths, other]] == [1, 1, 0]
    told = {(row["label_source"], row["label_level"], row["licence_tag"]) for row in made.values()}
    assert told == {(None, "breast", "RSNA")}


def test_cancer_is_not_turned_into_pathology_or_birads(rsna, labels):
    path = rsna.image(1, "L", cancer=1, biopsy=1, invasive=1, BIRADS="")
    assert not {"pathology", "birads"} & labels()[path].keys()


@pytest.mark.parametrize(("cell", "birads"), [("0.0", 0), ("1.0", 1), ("2", 2), ("", None)])
def test_birads_is_the_number_of_the_table(rsna, labels, cell, birads):
    path = rsna.image(1, "L", BIRADS=cell)
    assert labels()[path].get("birads") == birads


def test_site_2_has_no_density_and_no_birads(rsna, labels):
    path = rsna.image(1, "L", site_id=2, density="", BIRADS="", age="")
    assert not {"density", "birads", "age"} & labels()[path].keys()


def test_outcomes_are_kept_where_no_reader_sees_them(rsna, rows):
    path = rsna.image(1, "L", biopsy=1, difficult_negative_case="True")
    kept = json.loads(rows().rows[path]["extra_json"])
    assert (kept["biopsy"], kept["difficult_negative_case"], kept["machine_id"]) == (
        "1",
        "True",
        "49",
    )
    assert "extra_json" not in INDEX_COLUMNS


def test_side_of_the_table_wins_over_the_header(rsna, rows):
    path = rsna.image(1, "R", ImageLaterality="L")
    made = rows()
    row = made.rows[path]
    assert (row["laterality"], row["laterality_source"], row["pixels_face"]) == (
        "R",
        "table",
        "left",
    )
    assert "laterality_tag_vs_pixels" not in row["qc_flags"]
    assert made.warnings()["laterality_contradicted"] == 1


@pytest.mark.parametrize("header", ["R", "L", None])
def test_side_of_the_table_is_checked_against_the_pixels(rsna, rows, header):
    path = rsna.image(1, "L", face="left", ImageLaterality=header)
    made = rows()
    assert "laterality_tag_vs_pixels" in made.rows[path]["qc_flags"]
    assert made.warnings()["laterality_tag_vs_pixels"] == 1


def test_sign_of_machine_21_proves_nothing_but_bright_air_does(rsna, rows):
    """It writes +1, which says that air is bright, beside MONOCHROME2."""
    told = {"PhotometricInterpretation": "MONOCHROME2", "PixelIntensityRelationshipSign": 1}
    dark = rsna.image(1, "L", machine_id=21, **told)
    bright = rsna.image(2, "L", machine_id=21, **told)
    negative = 4095 - breast("right", seed=9)
    put_image(rsna.root / bright, negative, SOPInstanceUID="1.2.9", **told)
    made = rows()
    assert {row["pixel_intensity_relationship_sign"] for row in made.rows.values()} == {1}
    assert "polarity_suspect" not in made.rows[dark]["qc_flags"]
    assert "polarity_suspect" in made.rows[bright]["qc_flags"]
    assert made.warnings()["polarity_suspect"] == 1


def test_repeated_views_are_flagged_not_indexed(rsna, rows):
    twice = [rsna.image(1, "L") for _ in range(2)]
    once = rsna.image(1, "R")
    made = rows()
    assert ["dup_view" in made.rows[path]["qc_flags"] for path in [*twice, once]] == [
        True,
        True,
        False,
    ]
    assert made.warnings()["dup_view"] == 2


def test_patient_is_one_exam(rsna, rows):
    for side in "LR":
        rsna.image(7, side, StudyInstanceUID=f"1.2.{ord(side)}")
    assert rows().manifest.exams == 1


def test_implant_is_a_flag(rsna, labels):
    path = rsna.image(1, "L", implant=1)
    assert labels()[path]["qc_flags"] == ["implant"]


def test_odd_views_are_kept(rsna, rows):
    path = rsna.image(1, "L", "AT")
    assert rows().rows[path]["view"] == "AT"


def test_inverted_images_are_shown_the_right_way_round(rsna, rows):
    """9,337 images store air as high: shown, they are as the others, to the grey level."""
    path = rsna.image(1, "L", PhotometricInterpretation="MONOCHROME1")
    plain = rsna.image(2, "L")
    put_image(rsna.root / plain, np.uint16(4095) - read_raw(rsna.root / path), SOPInstanceUID="1.4")
    made = rows().rows
    assert np.array_equal(read_display(made[path]), read_display(made[plain]))
    assert made[path]["breast_box"] == made[plain]["breast_box"]
    assert made[path]["pixels_face"] == "right"


@pytest.mark.parametrize("sign", [-1, 1])
def test_sign_of_the_intensity_turns_nothing(rsna, rows, sign):
    """Machine 21 says +1 with MONOCHROME2; high is bright there as everywhere."""
    path = rsna.image(1, "L", machine_id=21, PixelIntensityRelationshipSign=sign)
    shown = read_display(rows().rows[path])
    assert shown[48, 5] > shown[48, 60] == 0


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_and_function_are_each_files_own(rsna, rows, function):
    window = {"WindowCenter": 1000, "WindowWidth": 800, "VOILUTFunction": function}
    path, plain = rsna.image(1, "L", **window), rsna.image(2, "L", WindowCenter=3000, WindowWidth=9)
    made = rows().rows
    row, stored = made[path], float(read_stored(made[path])[48, 5])
    shown = {
        "LINEAR": (stored - 999.5) / 799 + 0.5,
        "LINEAR_EXACT": (stored - 1000) / 800 + 0.5,
        "SIGMOID": 1 / (1 + np.exp(-4 * (stored - 1000) / 800)),
    }
    assert read_display(row)[48, 5] == pytest.approx(shown[function], abs=1e-3)
    assert (row["window_center"], made[plain]["window_center"]) == ([1000], [3000])


def test_eight_bits_under_a_wider_window_are_shown_by_it(rsna, rows):
    path = rsna.image(1, "L")
    pixels = (breast() // 16).astype(np.uint8)
    told = {"bits_stored": 8, "WindowCenter": 2048, "WindowWidth": 4096}
    put_image(rsna.root / path, pixels, SOPInstanceUID="1.7", **told)
    row = rows().rows[path]
    assert row["bits_stored"] == 8
    stored = float(read_stored(row)[48, 5])
    assert read_display(row)[48, 5] == pytest.approx((stored - 2047.5) / 4095 + 0.5, abs=1e-3)


def test_breast_is_found_beside_a_bright_border_and_a_marker(rsna, rows):
    """High background, artificial borders and markers are in the data; boxes need the breast."""
    path = rsna.image(1, "L")
    pixels = breast()
    pixels += 200
    pixels[:, -2:] = 4000
    pixels[10:14, 50:54] = 4000
    put_image(rsna.root / path, pixels.astype(np.uint16), SOPInstanceUID="1.8")
    row = rows().rows[path]
    assert row["pixels_face"] == "right"
    assert row["breast_box"][0] == 0
    assert row["breast_box"][2] <= 50


def test_odd_pixels_are_flagged(rsna, rows):
    negative = rsna.image(1, "L", PhotometricInterpretation="MONOCHROME1")
    over = rsna.image(2, "L")
    pixels = breast()
    pixels[50, 5] = 9000
    put_image(rsna.root / over, pixels, SOPInstanceUID="1.5", BitsStored=12)
    empty = rsna.image(3, "L")
    put_image(rsna.root / empty, np.zeros((96, 64), np.uint16), SOPInstanceUID="1.6")
    made = rows().rows
    assert "monochrome1" in made[negative]["qc_flags"]
    assert "values_over_bits_stored" in made[over]["qc_flags"]
    assert "near_empty" in made[empty]["qc_flags"]


def test_file_that_the_table_lacks_is_of_the_patient_of_its_folder(rsna, rows):
    listed, other = (rsna.image(5, side, PatientID="x") for side in "LR")
    rsna.lines.pop()
    made = rows()
    assert made.rows[listed]["patient_id"] == made.rows[other]["patient_id"]
    assert made.warnings()["images_without_labels"] == made.warnings()["files_not_named"] == 1


def test_ids_that_became_floats_are_ids(rsna, labels):
    path = rsna.image(10006, "L")
    for name in ("patient_id", "image_id"):
        rsna.lines[0][name] = f"{rsna.lines[0][name]}.0"
    assert labels()[path]["patient_id"] == "10006"


def test_partial_download_is_said(rsna):
    rsna.image(1, "L")
    rsna.image(1, "R", file=False)
    catalog = RsnaSource().catalog(rsna.write())
    assert len(catalog.rows) == 1
    assert {one.code: one.count for one in catalog.notices}["files_not_here"] == 1
    counts = {one.what: (one.expected, one.found) for one in RsnaSource().verify(rsna.root)}
    assert counts["images in train.csv"] == (54_706, 2)
    assert counts["files below train_images"] == (54_706, 1)


def test_wrong_folder_and_other_columns_are_one_line(rsna):
    rsna.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for train\.csv .* found nothing: expected tr"):
        RsnaSource().catalog(rsna.root)
    put_table(rsna.root / "train.csv", [{"patient_id": 1, "prediction_id": 2}])
    with pytest.raises(ConfigError, match=r"train\.csv lacks the columns 'site_id', "):
        RsnaSource().catalog(rsna.root)


def test_images_beside_their_folders_are_of_the_patient_in_their_header(rsna, rows):
    """And so of the same one as those in their folders."""
    kept, *moved = (
        rsna.image(7, side, view, PatientID="7") for side in "LR" for view in ("CC", "MLO")
    )
    for path in moved:
        (rsna.root / path).rename(rsna.root / "train_images" / path.rpartition("/")[2])
    made = rows()
    assert (len(made.rows), made.manifest.patients) == (4, 1)
    assert made.rows[kept]["patient_id"] == made.ids.patient("7")
    assert made.warnings()["files_not_named"] == 3


def test_suffix_in_capitals_keeps_the_labels(rsna, labels):
    path = rsna.image(7, "L", cancer=1)
    upper = path.replace(".dcm", ".DCM")
    (rsna.root / path).rename(rsna.root / upper)
    assert labels()[upper]["cancer"] == 1


@pytest.mark.parametrize("column", ["patient_id", "image_id"])
def test_rounded_id_is_refused(rsna, labels, column):
    rsna.image(10006, "L", **{column: "1.23457E+09"})
    with pytest.raises(
        ConfigError, match=rf"row 2 of train\.csv: {column} must be digits, not roun"
    ):
        labels()
