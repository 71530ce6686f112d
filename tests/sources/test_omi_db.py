import json

import numpy as np
import pytest

from mgray.dicom.pixels import read_display
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.omi_db import OmiDbSource
from tests.sources.kit import MARK, TISSUE, marked, put_image
from tests.sources.mini_omi import Omi, mark

BOX = (8, 40, 18, 52)


@pytest.fixture
def omi(tmp_path):
    return Omi(tmp_path / "omi")


def low_breast():
    """A breast in the lower third, marked at rows 70 to 80."""
    pixels = np.zeros((96, 64), np.uint16)
    pixels[60:, :40] = TISSUE
    pixels[70:80, 8:20] = MARK
    return pixels


@pytest.fixture
def rows(ingest_source, tmp_path):
    return lambda omi: ingest_source("omi_db", omi.write(), tmp_path / "table")


def test_mark_is_a_box_with_the_pathology_of_its_lesion(omi, rows):
    path = omi.image(boxes=[BOX], marks=[mark(*BOX)])
    omi.opinion("BIOPSYWIDE", "L", "1", "B5")
    row = rows(omi).rows[path]
    (one,) = row["annotations"]
    assert one["coords"] == marked(row) == list(BOX)
    assert (one["pathology"], one["categories"]) == ("malignant", ["mass"])
    assert row["licence_tag"] == "OMI-DB"


def test_corners_come_in_any_order(omi, rows):
    path = omi.image(boxes=[BOX], marks=[mark(BOX[2], BOX[3], BOX[0], BOX[1])])
    assert rows(omi).rows[path]["annotations"][0]["coords"] == list(BOX)


def test_frame_is_told_by_the_pixels_where_they_can(omi, rows):
    """The breast lies low: a box given from the bottom is outside it if read from the top."""
    path = omi.image(marks=[mark(8, 96 - 80, 20, 96 - 70)])
    put_image(omi.root / path, low_breast(), SOPInstanceUID="1.2.4.1")
    row = rows(omi).rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [[8, 70, 20, 80]]
    assert "frame_against_rule" in row["qc_flags"]


def test_frame_that_pixels_do_not_tell_is_the_top_and_flagged(omi, rows):
    path = omi.image(boxes=[BOX], marks=[mark(*BOX)])
    row = rows(omi).rows[path]
    assert row["annotations"][0]["coords"] == marked(row)
    assert "frame_undecided" in row["qc_flags"]


def test_frame_that_pixels_do_not_tell_is_that_of_the_other_images(omi, rows):
    """Breasts that lie low tell that boxes count from the bottom; so they do in the other."""
    undecided = omi.image(marks=[mark(8, 10, 18, 22)], radius=300)
    for _ in range(10):
        low = omi.image(marks=[mark(8, 96 - 80, 20, 96 - 70)])
        put_image(omi.root / low, low_breast(), SOPInstanceUID=low.split("/")[-1][:-4])
    made = rows(omi)
    assert made.rows[undecided]["annotations"][0]["coords"] == [8, 74, 18, 86]
    assert "frame_by_vote" in made.rows[undecided]["qc_flags"]
    assert [one.told_by for one in made.manifest.frames] == ["archive"]


def test_labels_go_by_the_side_in_the_header(omi, rows):
    left, right = (omi.image(side=side) for side in "LR")
    omi.opinion("SURGERY", "L", "1", "OM")
    omi.opinion("BIOPSYFINE", "R", "2", "C2")
    made = rows(omi).rows
    told = [(made[path]["pathology"], made[path]["cancer"]) for path in (left, right)]
    assert told == [("malignant", 1), ("benign", 0)]
    assert made[left]["label_source"] == "pathology"


@pytest.mark.parametrize(
    ("opinion", "pathology"),
    [("B5", "malignant"), ("H5", "malignant"), ("OB", "benign"), ("B3", "high_risk"),
     ("ON", "negative"), ("B4", None), ("B1", None), ("", None)],
)  # fmt: skip
def test_opinions_of_biopsies_are_pathology_suspicions_are_not(omi, rows, opinion, pathology):
    path = omi.image()
    omi.opinion("BIOPSYWIDE", "L", "1", opinion)
    assert rows(omi).rows[path]["pathology"] == pathology


@pytest.mark.parametrize("event", ["SCREENING", "ASSESSMENT", "CLINICAL"])
def test_opinions_of_screening_and_imaging_are_no_pathology(omi, rows, event):
    path = omi.image()
    omi.opinion(event, "L", "1", "OM")
    row = rows(omi).rows[path]
    assert (row["pathology"], row["cancer"], row["label_source"]) == (None, None, None)


@pytest.mark.parametrize(
    ("opinion", "pathology"),
    [("Malignant", "malignant"), ("Benign", "benign"), ("Normal", "negative"),
     ("O Malignant", "malignant"), ("Suspicious", None), ("Uncertain", None)],
)  # fmt: skip
def test_opinion_of_a_whole_side_is_a_word(omi, rows, opinion, pathology):
    left, right = (omi.image(side=side) for side in "LR")
    omi.side_opinion("SURGERY", "L", opinion)
    made = rows(omi)
    assert [made.rows[path]["pathology"] for path in (left, right)] == [pathology, None]
    assert "opinions_unknown" not in made.warnings()


def test_opinion_of_a_side_is_worse_than_its_lesion(omi, rows):
    path = omi.image()
    omi.opinion("BIOPSYWIDE", "L", "1", "B2")
    omi.side_opinion("BIOPSYWIDE", "L", "Malignant")
    assert rows(omi).rows[path]["cancer"] == 1


def test_opinion_in_unlisted_words_is_none_and_counted(omi, rows):
    path = omi.image()
    omi.side_opinion("SURGERY", "L", "Perhaps")
    made = rows(omi)
    assert made.rows[path]["pathology"] is None
    assert made.warnings()["opinions_unknown"] == 1


def test_lesion_of_one_number_on_both_sides_names_no_box(omi, rows):
    left, right = (omi.image(side=side, marks=[mark(*BOX)]) for side in "LR")
    omi.opinion("SURGERY", "L", "1", "H5")
    omi.opinion("SURGERY", "R", "1", "H2")
    made = rows(omi)
    told = [made.rows[path] for path in (left, right)]
    assert [row["pathology"] for row in told] == ["malignant", "benign"]
    assert [row["annotations"][0]["pathology"] for row in told] == [None, None]
    assert made.warnings()["lesions_ambiguous"] == 2


def test_lesion_of_the_other_breast_says_nothing_of_a_box(omi, rows):
    left, right = (omi.image(side=side, marks=[mark(*BOX)]) for side in "LR")
    omi.opinion("SURGERY", "L", "1", "H5")
    made = rows(omi)
    told = [made.rows[path] for path in (left, right)]
    assert [row["annotations"][0]["pathology"] for row in told] == ["malignant", None]
    assert ["lesion_side_contradicted" in row["qc_flags"] for row in told] == [False, True]
    assert made.warnings()["lesion_side_contradicted"] == 1


def test_mark_of_lesions_of_both_breasts_has_the_pathology_of_its_own(omi, rows):
    left, right = (omi.image(side=side, marks=[mark(*BOX, lesions="1,2")]) for side in "LR")
    omi.opinion("SURGERY", "L", "1", "H5")
    omi.opinion("SURGERY", "R", "2", "H2")
    made = rows(omi)
    told = [made.rows[path]["annotations"][0]["pathology"] for path in (left, right)]
    assert told == ["malignant", "benign"]
    assert "lesion_side_contradicted" not in made.warnings()


def test_days_to_the_outcome_are_those_to_the_first_event_that_proves_it(omi, rows):
    left, right = (omi.image(side=side) for side in "LR")
    for event, side, lesion, opinion, day in (
        ("BIOPSYFINE", "L", "1", "C2", "2012-01-06"),
        ("BIOPSYWIDE", "L", "1", "B5", "2012-01-25"),
        ("SURGERY", "L", "1", "H5", "2012-02-25"),
        ("SURGERY", "R", "2", "H2", None),
    ):
        omi.opinion(event, side, lesion, opinion, day=day)
    made = rows(omi).rows
    assert [made[path]["outcome_time_days"] for path in (left, right)] == [20, None]


def test_opinion_of_a_side_is_dated_by_its_event(omi, rows):
    path = omi.image()
    omi.side_opinion("SURGERY", "L", "Malignant")
    omi.nbss["optm1"]["7"]["SURGERY"]["dateperformed"] = "2012-01-15"
    assert rows(omi).rows[path]["outcome_time_days"] == 10


def test_exams_of_a_client_are_ordered_by_date(omi, rows):
    late, early = (omi.image(episode=name, day=day) for name, day in
                   (("7", "2012-01-05"), ("8", "2009-01-05")))  # fmt: skip
    omi.image(episode="9", day=None)
    made = rows(omi).rows
    assert [made[path]["exam_order"] for path in (late, early)] == [1, 0]
    assert sorted(row["exam_order"] is None for row in made.values()) == [False, False, True]


def test_opinion_of_the_lesion_itself_is_no_pathology(omi, rows):
    path = omi.image()
    omi.opinion("LESION", "L", "1", "B5")
    assert rows(omi).rows[path]["pathology"] is None


def test_lesion_numbers_with_zeros_and_commas_are_found(omi, rows):
    path = omi.image(marks=[mark(*BOX, lesions="01, 2")])
    omi.opinion("BIOPSYWIDE", "L", "1", "B2")
    omi.opinion("SURGERY", "L", "2", "OM")
    (one,) = rows(omi).rows[path]["annotations"]
    assert one["pathology"] == "malignant"


def test_lesions_of_another_episode_do_not_count(omi, rows):
    path = omi.image(episode="8", marks=[mark(*BOX)])
    omi.opinion("SURGERY", "L", "1", "OM", episode="7")
    omi.opinion("CLINICAL", "L", "1", "P1", episode="8")
    row = rows(omi).rows[path]
    assert (row["pathology"], row["annotations"][0]["pathology"]) == (None, None)


def test_unprocessed_version_is_marked_and_derived_is_no_synthetic(omi, rows):
    shown = omi.image()
    raw = omi.image(
        PresentationIntentType="FOR PROCESSING", SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2.1"
    )
    made = rows(omi).rows
    assert [made[path]["image_kind"] for path in (shown, raw)] == ["ffdm", "ffdm_raw"]
    assert "for_processing" in made[raw]["qc_flags"]


def test_names_in_capitals_are_found(tmp_path, rows):
    omi = Omi(tmp_path / "omi", upper=True)
    path = omi.image()
    omi.opinion("SURGERY", "L", "1", "OM")
    assert rows(omi).rows[path]["cancer"] == 1


def test_mark_without_corners_is_dropped_and_counted(omi, rows):
    omi.image(marks=[{"MarkID": "1", "X1": "4"}])
    assert rows(omi).warnings()["marks_without_corners"] == 1


def test_what_is_not_mapped_survives(omi, rows):
    path = omi.image(marks=[mark(*BOX, Conspicuity="Subtle")])
    omi.opinion("SURGERY", "L", "1", "OM")
    kept = json.loads(rows(omi).rows[path]["extra_json"])
    assert kept["marks"][0]["Conspicuity"] == "Subtle"
    assert (kept["episode"]["EpisodeType"], kept["study"]["StudyDate"]) == ("R", "2012-01-05")
    assert kept["client"] == {"ClientID": "optm1"}


@pytest.mark.parametrize("event", ["SCREENING", "ASSESSMENT", "BIOPSYWIDE", "SURGERY", "CLINICAL"])
def test_events_of_the_episode_survive_whole(omi, rows, event):
    path = omi.image()
    omi.opinion(event, "L", "1", "B2")
    omi.nbss["optm1"]["7"][event]["L"]["1"]["TumourSize"] = "12"
    kept = json.loads(rows(omi).rows[path]["extra_json"])["episode"]
    assert kept[event]["L"]["1"] == {"Opinion": "B2", "TumourSize": "12"}


def test_interval_cancer_is_of_its_own_episode_not_of_the_screen_before(omi, rows):
    screen, later = omi.image(episode="7"), omi.image(episode="8")
    omi.opinion("SCREENING", "L", "1", "ON", episode="7")
    omi.opinion("SURGERY", "L", "1", "H5", episode="8")
    omi.nbss["optm1"]["8"]["EpisodeType"] = "CI"
    made = rows(omi).rows
    assert [made[path]["cancer"] for path in (screen, later)] == [None, 1]
    assert json.loads(made[later]["extra_json"])["episode"]["EpisodeType"] == "CI"


@pytest.mark.parametrize("status", ["M", "B", "N", "CI"])
def test_status_of_the_client_is_no_label(omi, rows, status):
    path = omi.image()
    omi.opinion("CLINICAL", "L", "1", "P1")
    omi.nbss["optm1"]["Classification"] = status
    row = rows(omi).rows[path]
    assert (row["cancer"], row["pathology"], row["label_source"]) == (None, None, None)
    assert json.loads(row["extra_json"])["client"]["Classification"] == status


def test_padding_of_the_header_is_black_under_a_window_that_would_show_it(omi, rows):
    window = {"WindowCenter": 100, "WindowWidth": 2000, "VOILUTFunction": "SIGMOID"}
    padded, plain = omi.image(**window), omi.image(side="R", PixelPaddingValue=None, **window)
    made = rows(omi).rows
    assert made[padded]["pixel_padding_value"] == 0
    assert (read_display(made[padded])[0, 60], read_display(made[plain])[0, 3] > 0.1) == (0, True)


def test_file_that_no_imagedb_names_keeps_its_client(omi, rows):
    listed, other = omi.image(side="L"), omi.image(side="R", PatientID="")
    series = omi.imagedb["optm1"]["STUDIES"]["1.2.7"]["1.2.3"]
    series.pop(other.rpartition("/")[2].removesuffix(".dcm"))
    made = rows(omi)
    one, more = made.rows[listed], made.rows[other]
    assert (one["patient_id"], one["exam_id"]) == (more["patient_id"], more["exam_id"])
    assert made.warnings()["images_without_labels"] == made.warnings()["files_not_named"] == 1


def test_partial_download_is_said(omi):
    omi.image(marks=[mark(*BOX)])
    omi.image(file=False)
    source = OmiDbSource()
    notices = {one.code: one.count for one in source.catalog(omi.write()).notices}
    assert (notices["files_not_here"], notices["episodes_unknown"]) == (1, 1)
    counts = {one.what: (one.expected, one.found) for one in source.verify(omi.root)}
    assert counts["images here"] == (2, 1)
    assert counts["marks"] == (None, 1)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"STUDIES": "\\ud800"}', "[]"])
@pytest.mark.parametrize("what", ["imagedb", "nbss"])
def test_damaged_json_of_one_client_is_counted_and_tells_nothing(omi, what, text):
    good, bad = omi.image(), omi.image(client="optm2")
    for client in ("optm1", "optm2"):
        omi.opinion("SURGERY", "L", "1", "OM", client=client)
    (omi.write() / "data" / "optm2" / f"{what}_optm2.json").write_text(text)
    catalog = OmiDbSource().catalog(omi.root)
    told = {one.code: one.count for one in catalog.notices}
    lost = what == "imagedb"
    assert (told["json_unreadable"], told["files_not_named"]) == (1, int(lost))
    labels = {row.path: row.labels for row in catalog.rows}
    assert labels[good]["by_side"]["L"]["cancer"] == 1
    assert (labels[bad]["patient_id"], labels[bad].get("by_side", {}).get("L", {})) == ("optm2", {})
    counts = {one.what: (one.expected, one.found) for one in OmiDbSource().verify(omi.root)}
    assert counts["imagedb files that can be read"] == (2, 2 - lost)


def test_wrong_folder_and_damaged_json_are_one_line(omi):
    omi.root.mkdir()
    with pytest.raises(NotFoundError, match=r"looked for data/<client>/imagedb_.* found nothing"):
        OmiDbSource().catalog(omi.root)
    omi.image()
    omi.write()
    for text in ("{", "[" * 100_000, '{"STUDIES": "\\ud800"}'):
        (omi.root / "data" / "optm1" / "imagedb_optm1.json").write_text(text)
        with pytest.raises(
            ConfigError, match="no imagedb file of data/ is JSON of OMI-DB: get them"
        ):
            OmiDbSource().catalog(omi.root)


def test_images_are_derived_and_secondary_and_no_captures_unless_they_do_not_say_so(omi, rows):
    good, silent, drawn = (omi.image(BurnedInAnnotation=said) for said in ("NO", None, "YES"))
    made = rows(omi)
    assert ([*made.rows], made.refused) == ([good], {silent: "burned_in", drawn: "burned_in"})


def test_suffix_in_capitals_keeps_the_labels(omi, rows):
    path = omi.image()
    omi.opinion("SURGERY", "L", "1", "OM")
    (omi.root / path).rename((omi.root / path).with_suffix(".DCM"))
    made = rows(omi)
    assert [row["cancer"] for row in made.rows.values()] == [1]
    found = {one.what: (one.expected, one.found) for one in OmiDbSource().verify(omi.root)}
    assert found["images here"] == (1, 1)
