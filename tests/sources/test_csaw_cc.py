import json

import pytest

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.csaw_cc import CsawCcSource
from tests.sources.kit import marked, put_table
from tests.sources.mini_csaw import Csaw

BOX = (8, 40, 18, 52)


@pytest.fixture
def csaw(tmp_path):
    return Csaw(tmp_path / "csaw")


@pytest.fixture
def labels():
    return lambda csaw: {row.path: row.labels for row in CsawCcSource().catalog(csaw.write()).rows}


@pytest.fixture
def rows(ingest_source, tmp_path):
    return lambda csaw: ingest_source("csaw_cc", csaw.write(), tmp_path / "table")


def case(side, timing):
    return {"x_case": 1, "x_cancer_laterality": side, "rad_timing": timing}


@pytest.mark.parametrize(
    ("cells", "cancer"),
    [
        (case("Left", 1), 1),
        (case("Left", "2.0"), 1),
        (case("Left", 3), None),
        (case("Left", ""), None),
        (case("Right", 1), 0),
        (case("", 1), None),
        ({"x_case": 0}, 0),
        ({"x_case": ""}, None),
    ],
)
def test_cancer_counts_on_its_side_and_in_its_time_alone(csaw, labels, cells, cancer):
    path = csaw.image(1, "L", **cells)
    told = labels(csaw)[path]
    assert told.get("cancer") == cancer
    assert told.get("label_source") == (None if cancer is None else "registry")


def test_outcomes_are_no_columns_that_a_reader_sees(csaw, rows):
    path = csaw.image(1, "L", x_type="invasive", **case("Left", 1))
    row = rows(csaw).rows[path]
    kept = json.loads(row.pop("extra_json"))
    assert (kept["x_type"], kept["rad_timing"]) == ("invasive", "1")
    assert "invasive" not in json.dumps(row, default=str)
    assert (row["pathology"], row["birads"]) == (None, None)


def test_mask_becomes_a_box(csaw, rows):
    path = csaw.image(1, "L", box=BOX, **case("Left", 1))
    row = rows(csaw).rows[path]
    (one,) = row["annotations"]
    assert one["coords"] == marked(row) == list(BOX)
    assert (one["pathology"], one["source"]) == ("malignant", "csaw_cc mask")


def test_mask_of_an_image_without_cancer_is_no_cancer(csaw, labels):
    paths = [csaw.image(7, box=BOX), csaw.image(8, box=BOX, **case("Left", 3))]
    told = labels(csaw)
    assert [told[path]["annotations"][0]["pathology"] for path in paths] == [None, None]
    notices = {one.code: one.count for one in CsawCcSource().catalog(csaw.root).notices}
    assert notices["masks_without_cancer"] == 2


def test_image_of_no_side_is_unknown_where_the_woman_has_cancer(csaw, labels):
    sick = csaw.image(7, imagelaterality="", **case("Left", 1))
    healthy = csaw.image(8, imagelaterality="")
    told = labels(csaw)
    assert (told[sick].get("cancer"), told[healthy]["cancer"]) == (None, 0)


def test_masks_are_no_images(csaw, rows):
    csaw.image(1, "L", box=BOX)
    made = rows(csaw)
    assert (len(made.rows), made.refused) == (1, {})


def test_exams_go_by_year_not_by_the_placeholder_date(csaw, rows):
    paths = [csaw.image(1, "L", exam_year=year) for year in (2010, 2008, "2010.0", "?")]
    made = rows(csaw)
    assert (made.manifest.exams, made.manifest.patients) == (3, 1)
    assert [made.rows[path]["exam_order"] for path in paths] == [1, 0, 1, None]


def test_exam_with_a_view_twice_is_flagged(csaw, rows):
    twice = [csaw.image(1, "L") for _ in range(2)]
    once = csaw.image(1, "R")
    made = rows(csaw).rows
    found = ["dup_view" in made[path]["qc_flags"] for path in [*twice, once]]
    assert found == [True, True, False]


def test_table_with_semicolons_is_read(tmp_path, labels):
    csaw = Csaw(tmp_path / "csaw", ";")
    path = csaw.image(1, "R", "MLO")
    assert (labels(csaw)[path]["laterality"], labels(csaw)[path]["view"]) == ("R", "MLO")


def test_patient_number_keeps_its_zeros(csaw, labels):
    assert labels(csaw) == {}
    path = csaw.image(42)
    assert labels(csaw)[path]["patient_id"] == "00042"


@pytest.mark.parametrize("cell", ["", "0", "1"])
def test_recall_may_be_missing(csaw, labels, cell):
    path = csaw.image(1, rad_recall=cell)
    assert json.loads(labels(csaw)[path]["extra_json"]).get("rad_recall") == (cell or None)


def test_file_that_the_table_lacks_keeps_its_woman(csaw, rows):
    """Else she might be in two splits."""
    listed, other = csaw.image(1, "L"), csaw.image(1, "R", PatientID="")
    csaw.lines.pop()
    made = rows(csaw)
    assert made.rows[listed]["patient_id"] == made.rows[other]["patient_id"]
    assert made.rows[other]["cancer"] is None
    assert made.warnings()["images_without_labels"] == made.warnings()["files_not_named"] == 1


def test_files_of_another_ones_name_are_left_out_and_counted(csaw):
    path = csaw.image(1, "L", box=BOX, **case("Left", 1))
    for one in (path, path.replace(".dcm", "_mask.png")):
        again = csaw.root / "zcopy" / one.rpartition("/")[2]
        again.parent.mkdir(exist_ok=True)
        again.write_bytes((csaw.root / one).read_bytes())
    catalog = CsawCcSource().catalog(csaw.write())
    assert [row.path for row in catalog.rows] == [path]
    assert {one.code: one.count for one in catalog.notices}["files_doubled"] == 2


def test_partial_download_is_said(csaw):
    csaw.image(1)
    csaw.image(2, file=False, **case("Left", 1))
    source = CsawCcSource()
    notices = {one.code: one.count for one in source.catalog(csaw.write()).notices}
    assert notices["files_not_here"] == 1
    counts = {one.what: (one.expected, one.found) for one in source.verify(csaw.root)}
    assert counts["women with cancer"] == (873, 1)
    assert counts["images here"] == (98_788, 1)


def test_wrong_folder_and_other_columns_are_one_line(csaw):
    csaw.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for CSAW-CC_breast_cancer_screening_data"):
        CsawCcSource().catalog(csaw.root)
    put_table(csaw.root / "CSAW-CC_breast_cancer_screening_data.csv", [{"anon_patientid": 1}])
    with pytest.raises(ConfigError, match="lacks the columns 'exam_year', "):
        CsawCcSource().catalog(csaw.root)


def test_row_that_stands_twice_takes_no_mask_away(csaw):
    csaw.image(1, box=BOX, **case("Left", 1))
    csaw.lines.append(dict(csaw.lines[0]))
    catalog = CsawCcSource().catalog(csaw.write())
    assert [len(row.labels["annotations"]) for row in catalog.rows] == [1]
    notices = {one.code: one.count for one in catalog.notices}
    assert (notices["rows_doubled"], notices["masks_without_image"]) == (1, 0)


def test_woman_whose_zeros_a_spreadsheet_dropped_is_one(csaw, labels):
    listed, other = csaw.image(7, "L", anon_patientid="7"), csaw.image(7, "R")
    csaw.lines.pop()
    told = labels(csaw)
    assert told[listed]["patient_id"] == told[other]["patient_id"] == "00007"
    assert told[listed]["exam_id"] == "00007 2010"
    assert {one.what: one.found for one in CsawCcSource().verify(csaw.root)}["women"] == 1


def test_woman_of_a_file_of_another_name_is_the_tables(csaw, labels):
    path = csaw.image(7, anon_patientid="7", anon_filename="scan.dcm")
    (csaw.root / path).rename(csaw.root / "scan.dcm")
    assert labels(csaw)["scan.dcm"]["patient_id"] == "7"


def test_rounded_woman_is_refused_where_no_file_name_tells_her(csaw, labels):
    told = {"anon_patientid": "1.23457E+09"}
    csaw.image(1, **told)
    assert len(labels(csaw)) == 1
    csaw.image(2, anon_filename="x.dcm", **told)
    with pytest.raises(ConfigError, match="anon_patientid must be digits, not rounded by a spread"):
        labels(csaw)
