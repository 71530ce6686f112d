import json

import pyarrow.parquet as pq
import pytest

from mgray.errors import ConfigError, NotFoundError
from mgray.ingest.worker import ChunkWorker
from mgray.sources.cells import Cells
from mgray.sources.embed import EmbedSource
from mgray.sources.embed_boxes import read_boxes
from tests.sources.kit import breast, marked, put_image, put_table
from tests.sources.mini_embed import EXAM, LATER, LEFT, RIGHT, mirrored, roi

LONG = "9007199254740993"


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


def test_long_exam_number_stays_what_it_is(embed):
    path = embed.image(LONG, "L")
    embed.finding(f"{LONG}.0", "L", asses="B")
    told = embed.labels()[path]
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


def undecided(embed):
    """A right breast as wide as its image, whose box could be on either side."""
    return embed.image(EXAM, "R", radius=300, num_roi=1, ROI_coords=roi((10, 40, 20, 50)))


def test_undecided_boxes_follow_the_images_of_the_archive_that_decide(embed, rows):
    """All boxes of this archive are in the stored frame: those of left breasts do not tell."""
    open_one = undecided(embed)
    for _ in range(10):
        path = embed.image(EXAM, "R", boxes=[RIGHT], num_roi=1, ROI_coords=roi(RIGHT))
    for _ in range(3):
        embed.image(EXAM, "L", boxes=[LEFT], num_roi=1, ROI_coords=roi(LEFT))
    made = rows()
    row = made.rows[open_one]
    assert [one["coords"] for one in row["annotations"]] == [[10, 40, 20, 50]]
    flags = {flag for flag in row["qc_flags"] if flag.startswith("frame")}
    assert flags == {"frame_by_vote", "frame_against_rule"}
    assert made.rows[path]["annotations"][0]["coords"] == list(RIGHT)
    assert made.warnings()["frame_against_rule"] == 11
    straight, flipped = made.manifest.frames
    assert (straight.by_rule, straight.straight, straight.followed) == (
        "straight", 3, "straight",
    )  # fmt: skip
    assert (flipped.straight, flipped.undecided, flipped.followed, flipped.told_by) == (
        10, 1, "straight", "archive",
    )  # fmt: skip


def test_vote_depends_on_the_archive_alone_and_a_rerun_decodes_nothing(
    embed, ingest_source, tmp_path, monkeypatch
):
    """Piece by piece, as at once: a verdict that falls later moves boxes in finished shards."""
    undecided(embed)
    told = {"num_roi": 1, "boxes": [RIGHT]}
    embed.image(EXAM, "R", ROI_coords=roi(mirrored(RIGHT)), **told)
    grown = tmp_path / "grown"
    before = ingest_source("embed", embed.write(), grown)
    for _ in range(9):
        embed.image(EXAM, "R", ROI_coords=roi(RIGHT), **told)
    made = ingest_source("embed", embed.write(), grown, images_per_shard=1)
    at_once = ingest_source("embed", embed.root, tmp_path / "fresh")
    assert [one.manifest.frames[0].followed for one in (before, made)] == ["flipped", "straight"]
    assert made.manifest.content_sha256 == at_once.manifest.content_sha256
    assert made.manifest.warnings == at_once.manifest.warnings
    assert made.rows == at_once.rows
    index = pq.read_table(grown / "index.parquet").to_pylist()
    assert {row["image_id"]: row["annotations"] for row in index} == {
        row["image_id"]: row["annotations"] for row in made.rows.values()
    }
    monkeypatch.setattr(ChunkWorker, "ingest", None)
    monkeypatch.setattr("tests.inline.apply_verdict", None)
    assert ingest_source("embed", embed.root, grown).manifest == made.manifest


@pytest.mark.parametrize(
    "text", ["((40, 8, 52, 18),)", "[[[40, 8, 52, 18]]]", "[[(40,8,52,18)],[(40, 8, 52, 18)]]"]
)
def test_boxes_are_read_however_they_are_nested(text):
    assert set(read_boxes(Cells({"ROI_coords": text}, 2))) == {LEFT}


@pytest.mark.parametrize("text", ["()", "", None, "[]"])
def test_no_box_is_none(text):
    assert list(read_boxes(Cells({"ROI_coords": text}, 2))) == []


def test_numbers_that_are_no_fours_are_refused():
    with pytest.raises(ConfigError, match=r"^row 7 of m\.csv: ROI_coords must be numbers in fours"):
        list(read_boxes(Cells({"ROI_coords": "((1, 2, 3),)"}, 7, "row", "m.csv")))


def test_doubled_boxes_count_once(embed):
    path = embed.image(EXAM, "L", num_roi=1, ROI_coords=roi(LEFT, LEFT), match_level="[['1', '1']]")
    (one,) = embed.labels()[path]["annotations"]
    assert (one["coords"], one["source"]) == (list(LEFT), "embed level 1")


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        ("[['1', '2']]", ["embed level 1", "embed level 2"]),
        ("[['1'], ['2']]", ["embed level 1", "embed level 2"]),
        ("[2]", ["embed level 2", "embed level 2"]),
        ("[['1', '2', '1']]", ["embed", "embed"]),
        ("", ["embed", "embed"]),
    ],
)
def test_match_level_is_of_each_box(embed, levels, found):
    other = (20, 40, 26, 46)
    path = embed.image(EXAM, "L", num_roi=2, ROI_coords=roi(LEFT, other), match_level=levels)
    told = {tuple(one["coords"]): one["source"] for one in embed.labels()[path]["annotations"]}
    assert told == dict(zip((LEFT, other), found, strict=True))
    notices = {one.code: one.count for one in EmbedSource().catalog(embed.root).notices}
    assert notices["levels_unclear"] == (found == ["embed"] * 2 and levels != "")


def test_doubled_box_has_the_better_level(embed):
    path = embed.image(EXAM, "L", ROI_coords=roi(LEFT, LEFT), match_level="[['2'], ['1']]")
    assert [one["source"] for one in embed.labels()[path]["annotations"]] == ["embed level 1"]


@pytest.mark.parametrize(
    ("kind", "found"),
    [("cview", "synthetic_2d"), ("C-view", "synthetic_2d"), ("2D", "ffdm"), ("3D", "dbt")],
)
def test_kind_is_told_in_either_spelling(embed, kind, found):
    path = embed.image(EXAM, "L", kind)
    assert embed.labels()[path]["image_kind"] == found


@pytest.mark.parametrize(("kind", "count"), [("Synthetic", 1), ("", 1), ("2D", 0), ("ROI_SS", 0)])
def test_kind_that_nobody_listed_is_counted(embed, kind, count):
    path = embed.image(EXAM, "L", kind)
    assert "image_kind" not in embed.labels().get(path, {}) or not count
    found = {one.code: one.count for one in EmbedSource().catalog(embed.root).notices}
    assert found["kind_unknown"] == count


def test_reduced_tables_are_read_where_the_full_ones_are_not_here(embed):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses="B")
    (row,) = EmbedSource().catalog(embed.write("_reduced")).rows
    assert (row.path, row.labels["birads"]) == (path, 2)
    embed.clinical[0]["asses"] = "S"
    assert embed.labels()[path]["birads"] == 4


@pytest.mark.parametrize("server", ["/mnt/NAS2/mammo/anon_dicom/", "/mnt/NAS3/mammo/anon_dicom/"])
def test_any_server_is_replaced(embed, server):
    path = embed.image(EXAM, "L")
    cell = embed.metadata[0]["anon_dicom_path"]
    embed.metadata[0]["anon_dicom_path"] = server + cell[cell.index("cohort_1") :]
    assert [*embed.labels()] == [path]


@pytest.mark.parametrize("word", ["", "B", "left?"])
def test_image_without_a_side_is_counted_and_takes_the_headers(embed, rows, word):
    path = embed.image(EXAM, "R")
    embed.metadata[0]["ImageLateralityFinal"] = word
    embed.finding(EXAM, "R", asses="S", path_severity="0")
    made = rows()
    row = made.rows[path]
    assert (row["laterality"], row["laterality_source"], row["cancer"]) == ("R", "tag", None)
    assert made.warnings()["side_not_told"] == 1


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


@pytest.mark.parametrize("kind", ["2D", "cview"])
def test_views_of_one_kind_that_repeat_are_flagged(embed, rows, kind):
    twice = [embed.image(EXAM, "L", kind) for _ in range(2)]
    once = embed.image(EXAM, "R", kind)
    made = rows()
    found = ["dup_view" in made.rows[path]["qc_flags"] for path in [*twice, once]]
    assert found == [True, True, False]
    assert (made.warnings()["dup_view"], made.manifest.pairs) == (2, 0)


def test_file_that_the_metadata_lack_keeps_its_patient(embed, rows):
    listed, other = (embed.image(EXAM, side, PatientID="") for side in "LR")
    embed.metadata.pop()
    made = rows()
    assert made.rows[listed]["patient_id"] == made.rows[other]["patient_id"]
    assert made.warnings()["images_without_labels"] == made.warnings()["files_not_named"] == 1


def test_file_that_the_metadata_lack_is_kept_unpaired(embed, rows):
    embed.image(EXAM, "L")
    put_image(embed.root / "images/cohort_1/x/y/z/new.dcm", breast(), SOPInstanceUID="1.9")
    made = rows()
    assert made.rows["images/cohort_1/x/y/z/new.dcm"]["pair_role"] == "none"
    assert made.warnings()["images_without_labels"] == 1


def test_columns_that_are_not_mapped_survive(embed, rows):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", ETHNICITY_DESC="Caucasian or White", otherfind="X")
    kept = json.loads(rows().rows[path]["extra_json"])
    assert kept["metadata"]["ProtocolName"] == "L CC ComboHD"
    assert kept["clinical"][0]["ETHNICITY_DESC"] == "Caucasian or White"


def test_raw_cells_of_findings_survive(embed):
    """Also of the breast that no finding names, and of a biopsy that another finding tells."""
    left, right = (embed.image(EXAM, side) for side in "LR")
    embed.finding(EXAM, "L", tissueden="5.0", path_severity="0", bside="R", path_group="1")
    told = embed.labels()
    for path in (left, right):
        (one,) = json.loads(told[path]["extra_json"])["clinical"]
        assert (one["side"], one["tissueden"], one["path_group"]) == ("L", "5.0", "1")
        assert one["path_severity"] == "0"  # under its column's name: releases number otherwise
    embed.clinical[0]["bside"] = "L"
    assert json.loads(embed.labels()[right]["extra_json"])["clinical"][0]["side"] == "L"


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


@pytest.mark.parametrize("cell", ["nan", "NaN"])
def test_empty_spot_cell_that_became_nan_is_a_normal_view(embed, cell):
    path = embed.image(EXAM, "L", spot_mag=cell)
    embed.finding(EXAM, "L")
    assert "qc_flags" not in embed.labels()[path]


def test_suffix_in_capitals_and_backslashes_keep_the_labels(embed):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L", asses="S")
    embed.metadata[0]["anon_dicom_path"] = embed.metadata[0]["anon_dicom_path"].replace("/", "\\")
    assert embed.labels()[path]["birads"] == 4
    upper = path.replace(".dcm", ".DCM")
    (embed.root / path).rename(embed.root / upper)
    assert embed.labels()[upper]["birads"] == 4


def test_images_of_a_linked_cohort_are_found(embed, tmp_path):
    path = embed.image(EXAM, "L")
    embed.finding(EXAM, "L")
    folder = embed.root / "images" / "cohort_1"
    folder.rename(tmp_path / "disk")
    folder.symlink_to(tmp_path / "disk")
    assert [*embed.labels()] == [path]


@pytest.mark.parametrize("column", ["acc_anon", "empi_anon"])
@pytest.mark.parametrize("name", ["metadata", "clinical"])
def test_two_women_of_one_rounded_id_are_refused(embed, name, column):
    for exam, severity in ((EXAM, "0"), (LATER, "")):
        embed.image(exam, "L")
        embed.finding(exam, "L", path_severity=severity)
    for row in getattr(embed, name):
        row[column] = "1E+15"
    said = rf"row 2 of EMBED_OpenData_{name}\.csv: {column} must be digits, not rounded by a spread"
    with pytest.raises(ConfigError, match=said):
        embed.labels()


def test_number_of_a_finding_that_was_rounded_is_refused(embed):
    embed.finding(EXAM, "L", numfind="1E+15")
    with pytest.raises(ConfigError, match="numfind must be digits"):
        embed.labels()
