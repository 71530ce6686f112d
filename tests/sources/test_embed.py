import json

import pytest

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.embed import EmbedSource, read_boxes
from tests.sources.kit import marked, put_image, put_table
from tests.sources.mini_embed import Embed, mirrored, roi

EXAM, LATER, LONG = "1000000000000001", "1000000000000002", "9007199254740993"
LEFT, RIGHT = (8, 40, 18, 52), (44, 40, 56, 50)


@pytest.fixture
def embed(tmp_path):
    return Embed(tmp_path / "embed")


@pytest.fixture
def labels(embed):
    """Catalog what was built and give the labels by path."""

    def read():
        return {row.path: row.labels for row in EmbedSource().catalog(embed.write()).rows}

    return read


@pytest.fixture
def rows(embed, ingest_source, tmp_path):
    """Ingest what was built."""
    return lambda: ingest_source("embed", embed.write(), tmp_path / "table")


def test_pair_of_ffdm_and_cview_is_a_pair(embed, rows):
    embed.finding(EXAM, "L")
    paths = [embed.image(EXAM, "L", kind) for kind in ("2D", "cview")]
    made = rows()
    assert [made.rows[path]["image_kind"] for path in paths] == ["ffdm", "synthetic_2d"]
    assert made.manifest.pairs == 1
    assert {row["licence_tag"] for row in made.rows.values()} == {"EMBED"}


def test_long_exam_number_stays_what_it_is(embed, labels):
    path = embed.image(LONG, "L")
    embed.finding(f"{LONG}.0", "L", asses="B")
    told = labels()[path]
    assert (told["exam_id"], told["birads"]) == (LONG, 2)


def test_server_folder_is_replaced_and_files_not_here_are_said(embed):
    embed.image(EXAM, "L")
    embed.image(EXAM, "R", file=False)
    catalog = EmbedSource().catalog(embed.write())
    assert [row.path.split("/")[0] for row in catalog.rows] == ["images"]
    assert {one.code: one.count for one in catalog.notices}["files_not_here"] == 1


def test_boxes_of_a_left_breast_are_y_x_y_x(embed, rows):
    path = embed.image(EXAM, "L", boxes=[LEFT], num_roi=1, ROI_coords=roi(LEFT))
    row = rows().rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)] == [list(LEFT)]
    assert not {flag for flag in row["qc_flags"] if flag.startswith("frame")}


def test_boxes_of_a_right_breast_are_mirrored_back(embed, rows):
    path = embed.image(EXAM, "R", boxes=[RIGHT], num_roi=1, ROI_coords=roi(mirrored(RIGHT)))
    made = rows()
    row = made.rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)]
    assert "frame_hypothesis_mirrored" in row["qc_flags"]
    assert "frame_against_rule" not in row["qc_flags"]
    assert made.warnings()["frame_hypothesis_mirrored"] == 1


def test_boxes_given_unmirrored_are_found_by_the_pixels(embed, rows):
    path = embed.image(EXAM, "R", boxes=[RIGHT], num_roi=1, ROI_coords=roi(RIGHT))
    row = rows().rows[path]
    assert [one["coords"] for one in row["annotations"]] == [marked(row)]
    assert "frame_against_rule" in row["qc_flags"]


def test_boxes_that_either_hypothesis_allows_follow_the_rule_and_say_so(embed, rows):
    path = embed.image(EXAM, "R", radius=300, num_roi=1, ROI_coords=roi((10, 40, 20, 50)))
    row = rows().rows[path]
    assert [one["coords"] for one in row["annotations"]] == [[44, 40, 54, 50]]
    assert {"frame_undecided", "frame_hypothesis_mirrored"} <= set(row["qc_flags"])


@pytest.mark.parametrize(
    "text", ["((40, 8, 52, 18),)", "[[[40, 8, 52, 18]]]", "[[(40,8,52,18)],[(40, 8, 52, 18)]]"]
)
def test_boxes_are_read_however_they_are_nested(text):
    assert set(read_boxes(text)) == {LEFT}


@pytest.mark.parametrize("text", ["()", "", None, "[]"])
def test_no_box_is_none(text):
    assert list(read_boxes(text)) == []


def test_numbers_that_are_no_fours_are_refused():
    with pytest.raises(ConfigError, match="numbers in fours"):
        list(read_boxes("((1, 2, 3),)"))


def test_doubled_boxes_count_once(embed, labels):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT, LEFT), match_level="[['1', '1']]")
    (one,) = labels()[path]["annotations"]
    assert (one["coords"], one["source"]) == (list(LEFT), "embed level 1")


def test_box_is_linked_to_the_only_finding_of_its_breast(embed, labels):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", massshape="O", asses="S", path_severity="0.0")
    (one,) = labels()[path]["annotations"]
    assert (one["pathology"], one["birads"], one["categories"]) == ("malignant", 4, ["mass"])


def test_box_of_a_breast_with_two_findings_is_linked_to_none(embed, labels):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", 1, asses="S", path_severity="4")
    embed.finding(EXAM, "L", 2, asses="M", path_severity="1")
    told = labels()[path]
    assert [one["pathology"] for one in told["annotations"]] == [None]
    assert (told["pathology"], told["birads"], told["cancer"]) == ("malignant", 5, 1)


def test_findings_do_not_multiply_images(embed, labels):
    embed.image(EXAM, "L")
    for number in (1, 2, 3):
        embed.finding(EXAM, "L", number)
    assert len(labels()) == 1


@pytest.mark.parametrize("side", ["B", ""])
def test_finding_of_both_or_no_side_belongs_to_both_breasts(embed, labels, side):
    paths = [embed.image(EXAM, name) for name in "LR"]
    embed.finding(EXAM, side, asses="B")
    assert [labels()[path]["birads"] for path in paths] == [2, 2]


def test_other_breast_of_a_bilateral_exam_is_assumed_normal(embed, labels):
    left, right = (embed.image(EXAM, side) for side in "LR")
    embed.finding(EXAM, "L", asses="A")
    told = labels()
    assert (told[right]["cancer"], told[right]["label_source"]) == (0, "assumed_normal")
    assert "assumed_normal" in told[right]["qc_flags"]
    assert "birads" not in told[right]
    assert "cancer" not in told[left]


def test_other_breast_of_a_one_sided_exam_is_unknown(embed, labels):
    right = embed.image(EXAM, "R")
    embed.finding(EXAM, "L", desc="MG Diagnostic Left w/CAD")
    assert "cancer" not in labels()[right]


def test_birads_0_is_worse_than_3_and_no_biopsy_is_not_benign(embed, labels):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", 1, asses="P")
    embed.finding(EXAM, "L", 2, asses="A")
    told = labels()[path]
    assert told["birads"] == 0
    assert not {"pathology", "cancer", "label_source"} & told.keys()


def test_assessment_x_is_none(embed, labels):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses="X")
    assert "birads" not in labels()[path]


@pytest.mark.parametrize(
    ("severity", "pathology", "cancer"),
    [
        ("0", "malignant", 1),
        ("1.0", "malignant", 1),
        ("2", "high_risk", 0),
        ("3", "high_risk", 0),
        ("4", "benign", 0),
        ("5", "negative", 0),
        ("6", "other_cancer", None),
    ],
)
def test_severity_is_pathology_and_cancer(embed, labels, severity, pathology, cancer):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", path_severity=severity)
    told = labels()[path]
    assert (told["pathology"], told.get("cancer")) == (pathology, cancer)
    assert (told["label_source"], told["label_level"]) == ("pathology", "breast")


def test_unknown_severity_is_an_error(embed, labels):
    embed.finding(EXAM, "L", path_severity="7")
    with pytest.raises(ConfigError, match=r"line 2 of the table: path_severity must be 0 to 6"):
        labels()


@pytest.mark.parametrize(
    ("asses", "day", "severity", "found"),
    [
        ("A", "2013-08-01", "0", "malignant"),
        ("A", "2013-08-01", "4", "benign"),
        ("A", "2014-01-01", "0", None),
        ("N", "2014-01-01", "1", "malignant"),
        ("N", "2013-08-01", "4", None),
        ("S", "2013-08-01", "0", None),
    ],
)
def test_pathology_of_a_later_exam_answers_a_screen(embed, labels, asses, day, severity, found):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses=asses)
    later = {"study_date_anon": day, "path_severity": severity, "desc": "MG Diagnostic Left"}
    embed.finding(LATER, "L", empi_anon=EXAM[:8], **later)
    told = labels()[path]
    assert told.get("pathology") == found
    assert ("pathology_on_other_exam" in told.get("qc_flags", [])) == (found is not None)
    assert told.get("label_source") == (found and "followup")


@pytest.mark.parametrize("asses", ["N", "A"])
def test_pathology_of_a_later_exam_is_not_its_boxes(embed, labels, asses):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", asses=asses)
    proven = {"study_date_anon": "2013-08-01", "path_severity": "0"}
    embed.finding(LATER, "L", empi_anon=EXAM[:8], **proven)
    told = labels()[path]
    assert (told["cancer"], told["label_source"]) == (1, "followup")
    assert [one["pathology"] for one in told["annotations"]] == [None]


@pytest.mark.parametrize(
    ("side", "day", "expected"),
    [
        ("R", "2013-07-03", (1, "followup", ["pathology_on_other_exam"])),
        ("R", "2014-05-04", (1, "followup", ["pathology_on_other_exam"])),
        ("R", "2014-05-05", (0, "assumed_normal", ["assumed_normal"])),
        ("R", "2013-05-03", (0, "assumed_normal", ["assumed_normal"])),
        ("L", "2013-07-03", (0, "assumed_normal", ["assumed_normal"])),
    ],
)
def test_unnamed_breast_with_a_later_cancer_is_not_normal(embed, labels, side, day, expected):
    path = embed.image(EXAM, "R")
    embed.finding(EXAM, "L")
    embed.finding(LATER, side, empi_anon=EXAM[:8], study_date_anon=day, path_severity="1")
    told = labels()[path]
    assert (told["cancer"], told["label_source"], told["qc_flags"]) == expected


@pytest.mark.parametrize(
    ("asses", "day", "found"),
    [("A", "2013-10-31", 1), ("A", "2013-11-01", None), ("B", "2014-05-04", 1),
     ("B", "2014-05-05", None), ("A", "2013-05-03", None)],
)  # fmt: skip
def test_later_exam_answers_up_to_its_day(embed, labels, asses, day, found):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses=asses)
    embed.finding(LATER, "L", empi_anon=EXAM[:8], study_date_anon=day, path_severity="0")
    assert labels()[path].get("cancer") == found


@pytest.mark.parametrize("side", ["B", ""])
def test_biopsy_is_of_the_breast_that_bside_names(embed, labels, side):
    left, right = (embed.image(EXAM, name) for name in "LR")
    embed.finding(EXAM, side, bside="L", path_severity="0")
    told = labels()
    assert (told[left]["cancer"], "cancer" in told[right]) == (1, False)


def test_biopsy_of_the_other_breast_is_not_the_findings(embed, labels):
    left, right = (
        embed.image(EXAM, side, num_roi=1, ROI_coords=roi(LEFT)) for side in "LR"
    )  # fmt: skip
    embed.finding(EXAM, "L", bside="R", path_severity="0")
    told = labels()
    assert (told[right]["cancer"], told[right]["label_source"]) == (1, "pathology")
    assert "cancer" not in told[left]
    assert [told[path]["annotations"][0]["pathology"] for path in (left, right)] == [None, None]


def test_biopsy_of_a_later_exam_is_of_its_own_breast_too(embed, labels):
    left, right = (embed.image(EXAM, side) for side in "LR")
    embed.finding(EXAM, "B", asses="A")
    proven = {"study_date_anon": "2013-06-01", "path_severity": "0", "bside": "L"}
    embed.finding(LATER, "B", empi_anon=EXAM[:8], **proven)
    told = labels()
    assert (told[left]["cancer"], "cancer" in told[right]) == (1, False)


def test_biopsy_without_a_side_and_unread_dates_are_counted(embed):
    for side in "LR":
        embed.image(EXAM, side)
    embed.finding(EXAM, "B", path_severity="0", study_date_anon="5/4/2013")
    embed.finding(LATER, "B", path_severity="0", bside="B")
    embed.image(LATER, "L")
    notices = {one.code: one.count for one in EmbedSource().catalog(embed.write()).notices}
    assert (notices["biopsy_unsided"], notices["dates_unread"]) == (2, 1)


def test_exams_without_a_patient_do_not_answer_each_other(embed, labels):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses="A", empi_anon="")
    later = {"study_date_anon": "2013-06-01", "path_severity": "0", "empi_anon": ""}
    embed.finding(LATER, "L", **later)
    assert "cancer" not in labels()[path]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"massshape": "O"}, ["mass"]),
        ({"massdens": "0"}, []),
        ({"massdens": "="}, ["mass"]),
        ({"massshape": "T"}, ["asymmetry"]),
        ({"massshape": "Q"}, ["architectural_distortion"]),
        ({"calcfind": "A"}, ["calcification"]),
        ({"calcnumber": "0.0"}, []),
        ({"calcnumber": "3"}, ["calcification"]),
        ({"massshape": ""}, []),
    ],
)
def test_kind_of_finding_is_told_by_its_descriptors(embed, labels, cells, found):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", **cells)
    assert labels()[path]["annotations"][0]["categories"] == found


@pytest.mark.parametrize(("cell", "density"), [("1", "a"), ("4.0", "d"), ("5.0", None), ("", None)])
def test_density_5_is_male_not_dense(embed, labels, cell, density):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", tissueden=cell)
    assert labels()[path].get("density") == density


@pytest.mark.parametrize(
    ("cell", "spot"), [("", False), ("0", False), ("0.0", False), ("1.0", True)]
)
def test_spot_views_never_pair(embed, rows, cell, spot):
    embed.image(EXAM, "L", spot_mag=cell)
    embed.image(EXAM, "L", "cview")
    made = rows()
    assert made.manifest.pairs == (0 if spot else 1)


def test_screen_saves_are_left_out_and_counted(embed, rows):
    embed.image(EXAM, "L")
    embed.image(EXAM, "L", "ROI_SSC")
    made = rows()
    assert len(made.rows) == 1
    assert made.warnings()["screen_saves"] == 1


def test_repeated_views_pair_by_the_closest_time(embed, rows):
    early = embed.image(EXAM, "L", SeriesTime="91502.1")
    late = embed.image(EXAM, "L", SeriesTime="101502")
    view = embed.image(EXAM, "L", "cview", SeriesTime="101620.000")
    made = rows()
    assert made.rows[late]["pair_key"] == made.rows[view]["pair_key"]
    assert made.rows[early]["pair_key"] != made.rows[view]["pair_key"]
    assert "paired_by_time" in made.rows[late]["qc_flags"]
    assert "dup_view" in made.rows[early]["qc_flags"]
    assert made.manifest.pairs == 1


def test_repeated_views_of_one_time_stay_ambiguous(embed, rows):
    kinds = ("2D", "2D", "cview")
    paths = [embed.image(EXAM, "L", kind, SeriesTime="91502") for kind in kinds]
    made = rows()
    assert all("ambiguous_pair" in made.rows[path]["qc_flags"] for path in paths)
    assert made.manifest.pairs == 0


def test_repeated_views_without_time_stay_ambiguous(embed, rows):
    paths = [embed.image(EXAM, "L", kind) for kind in ("2D", "2D", "cview")]
    made = rows()
    assert all("ambiguous_pair" in made.rows[path]["qc_flags"] for path in paths)
    assert made.manifest.pairs == 0


def test_file_that_the_metadata_lack_is_kept_unpaired(embed, rows):
    embed.image(EXAM, "L")
    put_image(embed.root / "images/cohort_1/x/y/z/new.dcm", marked_pixels(), SOPInstanceUID="1.9")
    made = rows()
    assert made.rows["images/cohort_1/x/y/z/new.dcm"]["pair_role"] == "none"
    assert made.warnings()["images_without_labels"] == 1


def test_columns_that_are_not_mapped_survive(embed, rows):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", ETHNICITY_DESC="Caucasian or White", otherfind="X")
    kept = json.loads(rows().rows[path]["extra_json"])
    assert kept["metadata"]["ProtocolName"] == "L CC ComboHD"
    assert kept["clinical"][0]["ETHNICITY_DESC"] == "Caucasian or White"


def test_verify_counts_against_the_release(embed):
    embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L")
    counts = {one.what: (one.expected, one.found) for one in EmbedSource().verify(embed.write())}
    assert counts["images in metadata"] == (480_323, 1)
    assert counts["files below images"] == (480_323, 1)


def test_wrong_folder_says_what_was_looked_for_found_and_expected(tmp_path):
    (tmp_path / "cohort_1").mkdir()
    with pytest.raises(NotFoundError) as error:
        EmbedSource().catalog(tmp_path)
    said = str(error.value)
    assert "looked for tables/EMBED_OpenData_metadata.csv" in said
    assert "found 1 folder" in said
    assert "expected tables/EMBED_OpenData_metadata.csv (or _metadata_reduced.csv) | " in said
    assert "cohort_1" not in said


def test_columns_of_another_release_are_named(embed):
    embed.write()
    put_table(embed.root / "tables/EMBED_OpenData_metadata.csv", [{"empi_anon": 1, "acc": 2}])
    with pytest.raises(ConfigError, match=r"lacks the columns 'acc_anon', .* 1 of 9 expected ones"):
        EmbedSource().catalog(embed.root)


def marked_pixels():
    from tests.sources.kit import breast

    return breast()
