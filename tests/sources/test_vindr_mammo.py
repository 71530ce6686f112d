import json

import pytest

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.vindr_mammo import VindrMammoSource
from tests.sources.kit import marked, put_table
from tests.sources.mini_vindr import Vindr

BOX = (8, 40, 18, 52)


@pytest.fixture
def vindr(tmp_path):
    return Vindr(tmp_path / "vindr")


@pytest.fixture
def labels(vindr):
    return lambda: {row.path: row.labels for row in VindrMammoSource().catalog(vindr.write()).rows}


@pytest.fixture
def rows(vindr, ingest_source, tmp_path):
    return lambda: ingest_source("vindr_mammo", vindr.write(), tmp_path / "table")


def test_box_is_in_stored_pixels(vindr, rows):
    path = vindr.image("a", "L", boxes=[BOX])
    vindr.finding(BOX, "['Mass', 'Suspicious Calcification']", "BI-RADS 5")
    row = rows().rows[path]
    (one,) = row["annotations"]
    assert one["coords"] == marked(row) == list(BOX)
    assert (one["categories"], one["birads"]) == (["mass", "suspicious_calcification"], 5)
    assert row["licence_tag"] == "VinDr-Mammo"


def test_no_finding_is_no_box(vindr, labels):
    path = vindr.image("a", "L")
    vindr.finding(None, "['No Finding']", "")
    assert "annotations" not in labels()[path]


def test_birads_is_never_turned_into_pathology_or_cancer(vindr, labels):
    path = vindr.image("a", "L", breast_birads="BI-RADS 5")
    vindr.finding(BOX)
    told = labels()[path]
    assert told["birads"] == 5
    assert not {"pathology", "cancer", "label_source"} & told.keys()
    assert "pathology" not in told["annotations"][0]


def test_boxes_beyond_the_image_are_clipped_and_counted(vindr, rows):
    path = vindr.image("a", "L")
    vindr.finding((-3.5, 40, 18, 52))
    vindr.finding((8, 90, 18, 120.25))
    made = rows()
    assert [one["coords"] for one in made.rows[path]["annotations"]] == [
        [0, 40, 18, 52],
        [8, 90, 18, 96],
    ]
    assert made.warnings()["box_clipped"] == 2


def test_boxes_of_an_image_of_another_size_are_dropped_and_said(vindr, rows):
    path = vindr.image("a", "L", height=192, width=128)
    vindr.finding(BOX)
    made = rows()
    assert made.rows[path]["annotations"] == []
    assert "size_contradicted" in made.rows[path]["qc_flags"]
    assert made.warnings()["size_contradicted"] == 1


def test_box_without_birads_has_none(vindr, labels):
    path = vindr.image("a", "L")
    vindr.finding(BOX, "['Suspicious Lymph Node']", "")
    assert labels()[path]["annotations"][0]["birads"] is None


def test_suspicious_breast_without_a_box_is_counted(vindr):
    vindr.image("a", "L", breast_birads="BI-RADS 4")
    catalog = VindrMammoSource().catalog(vindr.write())
    assert {one.code: one.count for one in catalog.notices}["suspicious_without_box"] == 1


def test_exam_with_one_view_twice_is_flagged(vindr, rows):
    for view in ("CC", "CC", "MLO"):
        vindr.image("a", "L", view)
    made = rows()
    flagged = [row["view"] for row in made.rows.values() if "dup_view" in row["qc_flags"]]
    assert flagged == ["CC", "CC"]


def test_official_split_and_density_are_kept(vindr, rows):
    train, test = (
        vindr.image("a", "L"),
        vindr.image("b", "L", split="test", breast_density="DENSITY A"),
    )
    made = rows().rows
    assert [made[path]["split"] for path in (train, test)] == ["train", "test"]
    assert [made[path]["density"] for path in (train, test)] == ["c", "a"]


def test_exam_is_a_patient_whatever_the_header_says(vindr, rows):
    for study in "ab":
        vindr.image(study, "L", PatientID="anonymous")
    assert rows().manifest.patients == 2


def test_file_for_processing_is_marked(vindr, rows):
    path = vindr.image("a", "L", PresentationIntentType="FOR PROCESSING")
    row = rows().rows[path]
    assert (row["image_kind"], "for_processing" in row["qc_flags"]) == ("ffdm_raw", True)


def test_side_is_seen_in_the_pixels_without_patient_orientation(vindr, rows):
    path = vindr.image("a", "R", PatientOrientation=None)
    assert rows().rows[path]["pixels_face"] == "left"


def test_columns_that_are_not_mapped_survive(vindr, labels):
    path = vindr.image("a", "L")
    assert json.loads(labels()[path]["extra_json"]) == {
        "height": "96", "series_id": "s" * 32, "width": "64",
    }  # fmt: skip


def test_class_of_the_file_meta_may_be_any(vindr, rows):
    """PhysioNet's de-identification writes 1.2.3.4 there; the object's own class holds."""
    path = vindr.image("a", "L", boxes=[BOX])
    vindr.finding(BOX)
    assert b"1.2.3.4\0" in (vindr.root / path).read_bytes()[:400]
    made = rows()
    row = made.rows[path]
    assert made.refused == {}
    assert row["sop_class_uid"] == "1.2.840.10008.5.1.4.1.1.1.2"
    assert [one["coords"] for one in row["annotations"]] == [marked(row)]


def test_height_and_width_of_the_table_are_those_of_the_pixels(vindr, rows):
    """Rows by columns, not the other way round."""
    path = vindr.image("a", "L", boxes=[BOX])
    vindr.finding(BOX)
    row = rows().rows[path]
    assert "size_contradicted" not in row["qc_flags"]
    assert (row["rows"], row["columns"]) == tuple(
        int(json.loads(row["extra_json"])[name]) for name in ("height", "width")
    )


def test_box_begins_on_the_first_pixel_of_its_finding(vindr, rows):
    """A box of one pixel stays one pixel: nothing is added or taken at the edges."""
    path = vindr.image("a", "L", boxes=[(8, 40, 9, 41)])
    vindr.finding((8.0, 40.0, 9.0, 41.0))
    row = rows().rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [[8, 40, 9, 41]]


@pytest.mark.parametrize(("word", "split"), [("training", "train"), ("test", "test")])
def test_file_that_the_table_lacks_is_of_the_exam_of_its_folder_and_its_split(
    vindr, rows, word, split
):
    """Of eight exams, since a split by hash would be right for some by chance."""
    pairs = [[vindr.image(study, side, split=word) for side in "LR"] for study in "abcdefgh"]
    vindr.images = vindr.images[::2]
    made = rows()
    for listed, other in pairs:
        assert made.rows[listed]["patient_id"] == made.rows[other]["patient_id"]
    assert {(row["split"], row["split_official"]) for row in made.rows.values()} == {
        (split, split), (split, None),
    }  # fmt: skip
    assert made.warnings()["images_without_labels"] == made.warnings()["files_not_named"] == 8


def test_split_of_an_exam_is_told_by_rows_whose_files_are_not_here(vindr, labels):
    vindr.image("a", "L", split="test", file=False)
    other = vindr.image("a", "R")
    vindr.images.pop()
    assert labels()[other]["split"] == "test"


def test_file_of_another_ones_name_is_left_out_and_counted(vindr):
    path = vindr.image("a", "L")
    again = vindr.root / path.replace(".dicom", ".dcm")
    again.write_bytes((vindr.root / path).read_bytes())
    catalog = VindrMammoSource().catalog(vindr.write())
    assert len(catalog.rows) == 1
    assert {one.code: one.count for one in catalog.notices}["files_doubled"] == 1


def test_partial_download_is_said(vindr):
    vindr.image("a", "L")
    vindr.image("a", "R", file=False)
    vindr.finding(BOX)
    source = VindrMammoSource()
    notices = {one.code: one.count for one in source.catalog(vindr.write()).notices}
    assert (notices["files_not_here"], notices["findings_without_image"]) == (1, 0)
    counts = {one.what: (one.expected, one.found) for one in source.verify(vindr.root)}
    assert counts["boxes"] == (2_254, 1)
    assert counts["files below images"] == (20_000, 1)


def test_wrong_folder_and_other_columns_are_one_line(vindr):
    vindr.write()
    (vindr.root / "finding_annotations.csv").unlink()
    with pytest.raises(
        NotFoundError, match=r"looked for finding_annotations\.csv .* found 1 \.csv"
    ):
        VindrMammoSource().catalog(vindr.root)
    put_table(vindr.root / "finding_annotations.csv", [{"image_id": 1}])
    with pytest.raises(ConfigError, match="lacks the columns 'finding_categories', "):
        VindrMammoSource().catalog(vindr.root)


def test_rows_that_stand_twice_take_no_box_away_and_add_none(vindr):
    path = vindr.image("a", "L", boxes=[BOX], breast_birads="BI-RADS 4")
    vindr.finding(BOX, birads="")
    vindr.finding((20, 40, 30, 52), birads="")
    vindr.images.append(dict(vindr.images[0]))
    vindr.findings.append(dict(vindr.findings[0]))
    catalog = VindrMammoSource().catalog(vindr.write())
    ((row, told),) = [(row, row.labels) for row in catalog.rows]
    assert (row.path, [one["coords"][0] for one in told["annotations"]]) == (path, [8, 20])
    notices = {one.code: one.count for one in catalog.notices}
    assert (notices["rows_doubled"], notices["suspicious_without_box"]) == (2, 0)
    assert (notices["boxes_without_birads"], notices["dup_view"]) == (2, 0)


def test_images_beside_their_folders_are_of_the_exam_in_their_header(vindr, rows):
    """Not each a patient of its own, so that one exam might be in two splits."""
    paths = [vindr.image("a", side, StudyInstanceUID="1.2.3", PatientID=None) for side in "LR"]
    for path in paths:
        (vindr.root / path).rename(vindr.root / "images" / path.rpartition("/")[2])
    made = rows()
    assert (len(made.rows), made.manifest.patients) == (2, 1)
    assert len({row["split"] for row in made.rows.values()}) == 1
    assert made.warnings()["patient_unknown"] == made.warnings()["files_not_named"] == 2
