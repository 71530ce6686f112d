import pytest

from mgray.errors import ConfigError
from mgray.sources.embed import EmbedSource
from mgray.sources.embed_clinical import SEVERITY
from tests.sources.mini_embed import EXAM, LATER, LEFT, roi


def notices(embed):
    return {one.code: one.count for one in EmbedSource().catalog(embed.write()).notices}


def test_box_is_linked_to_the_only_finding_of_its_breast(embed):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", massshape="O", asses="S", path_severity="0.0")
    (one,) = embed.labels()[path]["annotations"]
    assert (one["pathology"], one["birads"], one["categories"]) == ("malignant", 4, ["mass"])


def test_box_of_a_breast_with_two_findings_is_linked_to_none(embed):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", 1, asses="S", path_severity="4")
    embed.finding(EXAM, "L", 2, asses="M", path_severity="1")
    told = embed.labels()[path]
    assert [one["pathology"] for one in told["annotations"]] == [None]
    assert (told["pathology"], told["birads"], told["cancer"]) == ("malignant", 5, 1)


def test_findings_do_not_multiply_images(embed):
    embed.image(EXAM, "L")
    for number in (1, 2, 3):
        embed.finding(EXAM, "L", number)
    assert len(embed.labels()) == 1


@pytest.mark.parametrize("side", ["B", ""])
def test_finding_of_both_or_no_side_belongs_to_both_breasts(embed, side):
    paths = [embed.image(EXAM, name) for name in "LR"]
    embed.finding(EXAM, side, asses="B")
    assert [embed.labels()[path]["birads"] for path in paths] == [2, 2]


def test_other_breast_of_a_bilateral_exam_is_assumed_normal(embed):
    left, right = (embed.image(EXAM, side) for side in "LR")
    embed.finding(EXAM, "L", asses="A")
    told = embed.labels()
    assert (told[right]["cancer"], told[right]["label_source"]) == (0, "assumed_normal")
    assert "assumed_normal" in told[right]["qc_flags"]
    assert "birads" not in told[right]
    assert "cancer" not in told[left]


@pytest.mark.parametrize("file", [True, False])
@pytest.mark.parametrize("side", ["R", "B"])
def test_other_breast_that_is_drawn_on_is_not_assumed_normal(embed, file, side):
    """Also where the box is on its other view, not here, or on an image of an unknown side."""
    embed.finding(EXAM, "L")
    plain = embed.image(EXAM, "R")
    boxed = embed.image(EXAM, "R", view="MLO", num_roi=1, ROI_coords=roi(LEFT), file=file)
    embed.metadata[-1]["ImageLateralityFinal"] = side
    told = embed.labels()
    for path in [plain, boxed] if file and side == "R" else [plain]:
        assert not {"cancer", "label_source", "qc_flags"} & told[path].keys()
    assert notices(embed)["assumed_but_drawn"] == 1 + (file and side == "R")
    assert notices(embed)["assumed_normal"] == 0


def test_boxes_of_one_breast_leave_the_other_breasts_assumed(embed):
    """Those of the named breast, and of another exam."""
    right = embed.image(EXAM, "R")
    for exam, side in ((EXAM, "L"), (LATER, "R")):
        embed.image(exam, side, num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L")
    assert embed.labels()[right]["label_source"] == "assumed_normal"
    assert (notices(embed)["assumed_normal"], notices(embed)["assumed_but_drawn"]) == (1, 0)


def test_other_breast_of_a_one_sided_exam_is_unknown(embed):
    right = embed.image(EXAM, "R")
    embed.finding(EXAM, "L", desc="MG Diagnostic Left w/CAD")
    assert "cancer" not in embed.labels()[right]


def test_birads_0_is_worse_than_3_and_no_biopsy_is_not_benign(embed):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", 1, asses="P")
    embed.finding(EXAM, "L", 2, asses="A")
    told = embed.labels()[path]
    assert told["birads"] == 0
    assert not {"pathology", "cancer", "label_source"} & told.keys()


def test_assessment_x_is_none(embed):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses="X")
    assert "birads" not in embed.labels()[path]


@pytest.mark.parametrize(("asses", "count"), [("5", 1), ("SMITH", 1), ("x", 0), ("", 0), ("n", 0)])
def test_assessment_that_nobody_listed_is_counted(embed, asses, count):
    embed.finding(EXAM, "L", asses=asses)
    assert notices(embed)["asses_unknown"] == count


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
def test_severity_is_pathology_and_cancer(embed, severity, pathology, cancer):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", path_severity=severity)
    told = embed.labels()[path]
    assert (told["pathology"], told.get("cancer")) == (pathology, cancer)
    assert (told["label_source"], told["label_level"]) == ("pathology", "breast")


def test_unknown_severity_is_an_error(embed):
    embed.finding(EXAM, "L", path_severity="7")
    with pytest.raises(
        ConfigError, match=r"row 2 of EMBED_OpenData_clinical\.csv: path_severity must be 0 to 6"
    ):
        embed.labels()


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
def test_pathology_of_a_later_exam_answers_a_screen(embed, asses, day, severity, found):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses=asses)
    later = {"study_date_anon": day, "path_severity": severity, "desc": "MG Diagnostic Left"}
    embed.finding(LATER, "L", empi_anon=EXAM[:8], **later)
    told = embed.labels()[path]
    assert told.get("pathology") == found
    assert ("pathology_on_other_exam" in told.get("qc_flags", [])) == (found is not None)
    assert told.get("label_source") == (found and "followup")


@pytest.mark.parametrize(
    ("own", "later", "expected"),
    [
        ("4", "0", ("malignant", 1, "followup", 58)),
        ("2", "1", ("malignant", 1, "followup", 58)),
        ("4", "2", ("benign", 0, "pathology", 0)),
        ("2", "4", ("high_risk", 0, "pathology", 0)),
        ("0", "0", ("malignant", 1, "pathology", 0)),
    ],
)
def test_later_cancer_wins_over_a_benign_biopsy_of_the_exam_itself(embed, own, later, expected):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", asses="A", path_severity=own)
    proven = {"study_date_anon": "2013-07-01", "path_severity": later}
    embed.finding(LATER, "L", empi_anon=EXAM[:8], **proven)
    told = embed.labels()[path]
    names = ("pathology", "cancer", "label_source", "outcome_time_days")
    assert tuple(told[name] for name in names) == expected
    flagged = "pathology_on_other_exam" in told.get("qc_flags", [])
    assert flagged == (expected[2] == "followup")
    assert told["annotations"][0]["pathology"] == SEVERITY[own]


@pytest.mark.parametrize(
    ("asses", "severity", "days"), [("S", "0", 0), ("A", None, 89), ("N", None, None)]
)
def test_days_to_the_outcome_are_those_to_the_exam_that_tells_it(embed, asses, severity, days):
    """Of two later biopsies as bad the first counts; benign ones answer no negative screen."""
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses=asses, path_severity=severity or "")
    for day, proven in (("2013-07-01", "5"), ("2013-08-01", "4"), ("2013-09-01", "4")):
        embed.finding(LATER, "L", empi_anon=EXAM[:8], study_date_anon=day, path_severity=proven)
    assert embed.labels()[path].get("outcome_time_days") == days


def test_days_to_a_cancer_of_an_unnamed_breast_are_told(embed):
    path = embed.image(EXAM, "R")
    embed.finding(EXAM, "L")
    told = {"study_date_anon": "2013-05-14", "path_severity": "1"}
    embed.finding(LATER, "R", empi_anon=EXAM[:8], **told)
    assert embed.labels()[path]["outcome_time_days"] == 10


def test_exams_of_a_patient_are_ordered_by_date_though_their_images_are_not_here(embed):
    late = embed.image(EXAM, "L")
    other = embed.image("3000000000000003", "L")
    undated = embed.image("4000000000000004", "L")
    embed.finding(EXAM, "L")
    embed.finding(LATER, "L", empi_anon=EXAM[:8], study_date_anon="2012-02-03")
    embed.finding("3000000000000003", "L")
    embed.finding("4000000000000004", "L", study_date_anon="?")
    told = embed.labels()
    assert (told[late]["exam_order"], told[other]["exam_order"]) == (1, 0)
    assert "exam_order" not in told[undated]


@pytest.mark.parametrize("asses", ["N", "A"])
def test_pathology_of_a_later_exam_is_not_its_boxes(embed, asses):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", asses=asses)
    proven = {"study_date_anon": "2013-08-01", "path_severity": "0"}
    embed.finding(LATER, "L", empi_anon=EXAM[:8], **proven)
    told = embed.labels()[path]
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
def test_unnamed_breast_with_a_later_cancer_is_not_normal(embed, side, day, expected):
    path = embed.image(EXAM, "R")
    embed.finding(EXAM, "L")
    embed.finding(LATER, side, empi_anon=EXAM[:8], study_date_anon=day, path_severity="1")
    told = embed.labels()[path]
    assert (told["cancer"], told["label_source"], told["qc_flags"]) == expected


@pytest.mark.parametrize(
    ("asses", "day", "found"),
    [("A", "2013-10-31", 1), ("A", "2013-11-01", None), ("B", "2014-05-04", 1),
     ("B", "2014-05-05", None), ("A", "2013-05-03", None)],
)  # fmt: skip
def test_later_exam_answers_up_to_its_day(embed, asses, day, found):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses=asses)
    embed.finding(LATER, "L", empi_anon=EXAM[:8], study_date_anon=day, path_severity="0")
    assert embed.labels()[path].get("cancer") == found


@pytest.mark.parametrize("side", ["B", ""])
def test_biopsy_is_of_the_breast_that_bside_names(embed, side):
    left, right = (embed.image(EXAM, name) for name in "LR")
    embed.finding(EXAM, side, bside="L", path_severity="0")
    told = embed.labels()
    assert (told[left]["cancer"], "cancer" in told[right]) == (1, False)


def test_biopsy_of_the_other_breast_is_not_the_findings(embed):
    left, right = (
        embed.image(EXAM, side, num_roi=1, ROI_coords=roi(LEFT)) for side in "LR"
    )  # fmt: skip
    embed.finding(EXAM, "L", bside="R", path_severity="0")
    told = embed.labels()
    assert (told[right]["cancer"], told[right]["label_source"]) == (1, "pathology")
    assert "cancer" not in told[left]
    assert [told[path]["annotations"][0]["pathology"] for path in (left, right)] == [None, None]


def test_biopsy_of_a_later_exam_is_of_its_own_breast_too(embed):
    left, right = (embed.image(EXAM, side) for side in "LR")
    embed.finding(EXAM, "B", asses="A")
    proven = {"study_date_anon": "2013-06-01", "path_severity": "0", "bside": "L"}
    embed.finding(LATER, "B", empi_anon=EXAM[:8], **proven)
    told = embed.labels()
    assert (told[left]["cancer"], "cancer" in told[right]) == (1, False)


def test_biopsy_without_a_side_and_unread_dates_are_counted(embed):
    for side in "LR":
        embed.image(EXAM, side)
    embed.finding(EXAM, "B", path_severity="0", study_date_anon="5/4/2013")
    embed.finding(LATER, "B", path_severity="0", bside="B")
    embed.image(LATER, "L")
    notices = {one.code: one.count for one in EmbedSource().catalog(embed.write()).notices}
    assert (notices["biopsy_unsided"], notices["dates_unread"]) == (2, 1)


def test_exams_without_a_patient_do_not_answer_each_other(embed):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses="A", empi_anon="")
    later = {"study_date_anon": "2013-06-01", "path_severity": "0", "empi_anon": ""}
    embed.finding(LATER, "L", **later)
    assert "cancer" not in embed.labels()[path]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"massshape": "O"}, ["mass"]),
        ({"massshape": "D"}, ["mass"]),
        ({"massshape": "L"}, ["mass"]),
        ({"massmargin": "I"}, ["mass"]),
        ({"calcdistri": "G"}, ["calcification"]),
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
def test_kind_of_finding_is_told_by_its_descriptors(embed, cells, found):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", **cells)
    assert embed.labels()[path]["annotations"][0]["categories"] == found


@pytest.mark.parametrize(("cell", "density"), [("1", "a"), ("4.0", "d"), ("5.0", None), ("", None)])
def test_density_5_is_male_not_dense(embed, cell, density):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", tissueden=cell)
    assert embed.labels()[path].get("density") == density


@pytest.mark.parametrize("side", ["B", ""])
def test_later_cancer_of_an_unknown_side_is_of_no_breast_that_findings_do_not_name(embed, side):
    """It is counted, and nothing is assumed of that breast either."""
    left, right = (embed.image(EXAM, name) for name in "LR")
    embed.finding(EXAM, "L", asses="A")
    proven = {"study_date_anon": "2013-06-01", "path_severity": "0"}
    embed.finding(LATER, side, empi_anon=EXAM[:8], **proven)
    told = embed.labels()
    assert (told[left]["cancer"], told[left]["label_source"]) == (1, "followup")
    assert not {"cancer", "pathology", "label_source", "qc_flags"} & told[right].keys()
    assert (notices(embed)["biopsy_unsided"], notices(embed)["assumed_normal"]) == (2, 0)


@pytest.mark.parametrize(("cells", "count"), [({"side": "R"}, 0), ({"side": "B", "bside": "B"}, 0)])
def test_later_cancer_that_names_its_side_answers_an_unnamed_breast(embed, cells, count):
    """Also where another biopsy tells none."""
    right = embed.image(EXAM, "R")
    embed.finding(EXAM, "L")
    proven = {"study_date_anon": "2013-06-01", "path_severity": "0", "empi_anon": EXAM[:8]}
    embed.finding(LATER, "B", **proven)
    embed.finding(LATER, number=2, **{**proven, **cells})
    assert embed.labels()[right]["cancer"] == 1
    assert notices(embed)["biopsy_unsided"] == count


OTHER = "20000000"
TOLD = {"birads", "pathology", "cancer", "label_source", "density", "age", "exam_order"}


@pytest.mark.parametrize("empi", [OTHER, ""])
def test_woman_under_whose_exam_another_one_is_has_no_label_of_hers(embed, empi):
    """Nor is her other breast assumed normal; who has no number may be either."""
    own = embed.image(EXAM, "L")
    others = [embed.image(EXAM, side, empi_anon=empi) for side in "LR"]
    embed.finding(EXAM, "L", path_severity="0")
    embed.finding(EXAM, "L", 2, empi_anon=OTHER, desc="MG Diagnostic Left", path_severity="")
    told = embed.labels()
    assert (told[own]["cancer"], told[own]["label_source"]) == (1, "pathology")
    for path in others:
        assert not {"pathology", "cancer", "label_source"} & told[path].keys()
    assert (told[others[0]].get("birads"), notices(embed)["exam_of_other_patient"]) == (
        1 if empi else None, 3,
    )  # fmt: skip


def test_exam_that_is_of_another_woman_alone_tells_nothing(embed):
    path = embed.image(EXAM, "R", empi_anon=OTHER, num_roi=1, ROI_coords=roi(LEFT))
    embed.finding(EXAM, "L", path_severity="0", bside="B")
    told = embed.labels()[path]
    assert not TOLD & told.keys()
    assert '"clinical"' not in told["extra_json"]
    assert (told["patient_id"], told["annotations"][0]["pathology"]) == (OTHER, None)
    found = notices(embed)
    assert (found["exam_of_other_patient"], found["clinical_missing"]) == (1, 0)


@pytest.mark.parametrize(("other", "cancer", "count"), [(None, 1, 0), (OTHER, None, 1)])
def test_finding_without_a_patient_is_of_the_only_one_of_its_exam(embed, other, cancer, count):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", empi_anon="", path_severity="0")
    embed.finding(EXAM, "L", 2, empi_anon=other or EXAM[:8])
    assert embed.labels()[path].get("cancer") == cancer
    assert notices(embed)["exam_of_other_patient"] == count


def test_patient_number_that_became_a_float_is_hers(embed):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", empi_anon=f"{EXAM[:8]}.0", path_severity="0")
    assert embed.labels()[path]["cancer"] == 1
    assert notices(embed)["exam_of_other_patient"] == 0
