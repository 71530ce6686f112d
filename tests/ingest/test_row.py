from dataclasses import replace

import numpy as np
import pytest

from mgray.data.splits import assign_split
from mgray.dicom.breast import pack_mask
from mgray.dicom.record import FileRecord, Identity
from mgray.errors import Rejected
from mgray.ingest.row import RowMaker, hash_row


@pytest.fixture
def maker(ids):
    return RowMaker(ids, "CC0", "1", split_seed=0)


def record(study="1.2.4", patient="anna", header_kind=None, **columns):
    seen = {
        "laterality": "L",
        "laterality_source": "tag",
        "view": "CC",
        "view_modifiers": [],
        "image_kind": "ffdm",
        "kind_evidence": "default",
        "rows": 100,
        "columns": 50,
        "breast_box": [0, 0, 40, 100],
        "qc_flags": ["monochrome1"],
    }
    return FileRecord(Identity("1.2.3", study, patient), {**seen, **columns}, header_kind)


def box(*coords, **more):
    return {"shape": "box", "coords": [float(edge) for edge in coords], "finding_id": None, **more}


def test_table_wins_over_header_and_the_contradiction_is_noted(maker):
    labels = {"laterality": "R", "image_kind": "film"}
    row, notes = maker.row("a.dcm", record(header_kind="ffdm"), labels)
    assert (row["laterality"], row["laterality_source"]) == ("R", "table")
    assert (row["image_kind"], row["kind_evidence"]) == ("film", "table")
    assert notes == {"laterality_contradicted": 1, "image_kind_contradicted": 1}


def test_header_stands_where_the_table_is_silent(maker):
    row, notes = maker.row("a.dcm", record(), {})
    assert (row["laterality"], row["laterality_source"], row["kind_evidence"], notes) == (
        "L", "tag", "default", {},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["laterality", "view"])
def test_unknown_side_or_view_is_refused(maker, name):
    with pytest.raises(Rejected, match=f"{name} is neither in the table nor the header"):
        maker.row("a.dcm", record(**{name: None}), {})


def test_unknown_exam_is_refused(maker):
    with pytest.raises(Rejected, match="exam is neither"):
        maker.row("a.dcm", record(study=""), {})


def test_ids_are_pseudonyms_of_the_table_first(maker, ids):
    row, _ = maker.row("a.dcm", record(), {"patient_id": "bea", "exam_id": "7"})
    assert (row["patient_id"], row["exam_id"]) == (ids.patient("bea"), ids.exam("7", "bea"))
    assert row["image_id"] == ids.image("1.2.3")


def test_first_exams_of_two_women_of_a_table_are_two(maker):
    """Else the FFDM of one would be paired with the SM of the other."""
    told = [{"patient_id": name, "exam_id": "1"} for name in ("bea", "carla")]
    ffdm, _ = maker.row("a.dcm", record(), told[0])
    sm, other = (maker.row("b.dcm", record(image_kind="synthetic_2d"), one)[0] for one in told)
    assert ffdm["pair_key"] == sm["pair_key"] != other["pair_key"]


def test_exam_of_a_header_is_one_whoever_it_is_of(maker, ids):
    row, _ = maker.row("a.dcm", record(), {"patient_id": "bea"})
    assert row["exam_id"] == ids.exam(record().identity.study_instance_uid)


def test_patient_without_id_is_known_by_the_exam(maker):
    one, other = (maker.row("a.dcm", record(study=uid, patient=""), {})[0] for uid in "12")
    assert one["patient_id"] != other["patient_id"]


def test_patient_without_id_is_noted(maker):
    told = (maker.row("a.dcm", record(patient=""), labels) for labels in ({}, {"patient_id": "p"}))
    assert [notes for _, notes in told] == [{"patient_unknown": 1}, {}]


def test_image_that_complete_tables_lack_is_kept_but_never_paired(maker):
    told = [
        replace(maker, described=described).row("a.dcm", record(), labels)
        for described, labels in ((True, {}), (True, {"cancer": 0}), (False, {}))
    ]
    assert [row["pair_role"] for row, _ in told] == ["none", "ffdm", "ffdm"]
    assert [notes for _, notes in told] == [{"images_without_labels": 1}, {}, {}]


def test_split_is_the_hash_of_the_raw_patient(maker):
    row, _ = maker.row("a.dcm", record(patient="carla"), {})
    assert row["split"] == assign_split("carla", 0)


def test_official_split_is_used_and_kept(maker):
    told = {row["split"] for row in (official(maker, name) for name in ("train", "val", "test"))}
    assert told == {"train", "val", "test"}
    assert official(maker, "val")["split_official"] == "val"


def official(maker, name):
    return maker.row("a.dcm", record(), {"split_official": name})[0]


def test_ffdm_and_sm_of_one_breast_share_the_pair_key(maker):
    ffdm, _ = maker.row("a.dcm", record(), {})
    sm, _ = maker.row("b.dcm", record(image_kind="synthetic_2d"), {})
    assert ffdm["pair_key"] == sm["pair_key"]
    assert (ffdm["pair_role"], sm["pair_role"]) == ("ffdm", "synthetic_2d")


def test_another_view_or_modifier_has_another_pair_key(maker):
    plain, other, displaced = (
        maker.row("a.dcm", record(**changes), {})[0]["pair_key"]
        for changes in ({}, {"view": "MLO"}, {"view_modifiers": ["implant_displaced"]})
    )
    assert len({plain, other, displaced}) == 3


@pytest.mark.parametrize("changes", [{"image_kind": "film"}, {"qc_flags": ["spot_or_mag"]}])
def test_film_and_spot_views_are_no_partners(maker, changes):
    assert maker.row("a.dcm", record(**changes), {})[0]["pair_role"] == "none"


def test_flags_of_boxes_join_those_of_the_file(maker):
    labels = {"annotations": [box(-1, 2, 3, 4), box(90, 2, 99, 4), box(42, 2, 48, 4)]}
    row, notes = maker.row("a.dcm", record(), labels)
    codes = ["box_clipped", "box_outside_breast", "box_outside_image"]
    assert row["qc_flags"] == [*codes, "monochrome1"]
    assert notes == dict.fromkeys(codes, 1)
    assert [one["clipped"] for one in row["annotations"]] == [True, False]


@pytest.mark.parametrize("coords", [(9, 2, 3, 4), (3, 9, 5, 2), (3, 3, 3, 9)])
def test_box_without_area_is_dropped_under_its_own_name(maker, coords):
    row, notes = maker.row("a.dcm", record(), {"annotations": [box(*coords)]})
    assert (row["annotations"], notes) == ([], {"box_empty": 1})
    assert row["qc_flags"] == ["box_empty", "monochrome1"]


@pytest.mark.parametrize(
    ("line", "kept"), [((3, 2, 3, 9), [3, 2, 4, 9]), ((3, 2, 9, 2), [3, 2, 9, 3])]
)
def test_contour_that_is_a_line_is_one_pixel_wide(maker, line, kept):
    outline = [line[0], line[1], line[2], line[3], line[0], line[1]]
    row, notes = maker.row("a.dcm", record(), {"annotations": [box(*line, outline=outline)]})
    (one,) = row["annotations"]
    assert (one["coords"], one["clipped"], notes) == (kept, False, {})


def test_box_is_outside_the_breast_where_its_mask_is_not(maker):
    mask = pack_mask(np.tri(100, 40, -30, bool))  # the breast lies below the diagonal
    boxes = {"annotations": [box(2, 90, 6, 94), box(30, 2, 34, 6)]}
    _, bounds = maker.row("a.dcm", record(), boxes)
    _, notes = maker.row("a.dcm", record(breast_mask=mask), boxes)
    assert (bounds, notes) == ({}, {"box_outside_breast": 1})


def finding_ids(maker, uid="1.2.3", study="1.2.4", **labels):
    boxes = [box(1, 2, 3, 4, finding_id="L1"), box(1, 2, 3, 4), box(1, 2, 3, 4)]
    seen = FileRecord(Identity(uid, study, "anna"), record().columns, None)
    row, _ = maker.row("a.dcm", seen, {"annotations": boxes, **labels})
    return [one["finding_id"] for one in row["annotations"]]


def test_finding_has_one_id_in_all_images_of_its_breast(maker):
    assert finding_ids(maker, uid="1.2.3.1")[0] == finding_ids(maker, uid="1.2.3.2")[0]


def test_equal_numbers_in_other_breasts_are_other_findings(maker):
    told = {
        finding_ids(maker)[0],
        finding_ids(maker, laterality="R")[0],
        finding_ids(maker, study="9")[0],
    }
    assert len(told) == 3


def test_unnamed_findings_are_each_their_own(maker):
    assert len(set(finding_ids(maker) + finding_ids(maker, uid="1.2.3.2"))) == 5


def test_licence_of_the_table_travels_with_the_row(maker):
    told, default = ({"licence_tag": "CC-BY-3.0"}, {})
    assert maker.row("a.dcm", record(), told)[0]["licence_tag"] == "CC-BY-3.0"
    assert maker.row("a.dcm", record(), default)[0]["licence_tag"] == "CC0"


def test_row_hash_sees_every_column_but_the_coded_pixels():
    assert hash_row({"a": 1, "pixels": b"x"}) == hash_row({"a": 1, "pixels": b"y"})
    assert hash_row({"a": 1}) != hash_row({"a": 2})


def test_split_of_ours_wins_over_an_official_one_that_leaks(maker):
    labels = {"split": "train", "split_official": "test", "qc_flags": ["split_leak"]}
    row, _ = maker.row("a.dcm", record(), labels)
    assert (row["split"], row["split_official"]) == ("train", "test")
    assert row["qc_flags"] == ["monochrome1", "split_leak"]


def test_labels_of_a_side_are_those_of_the_side_that_the_header_names(maker):
    sides = {"L": {"cancer": 1, "qc_flags": ["assumed_normal"]}, "R": {"cancer": 0}}
    told = [
        maker.row("a.dcm", record(laterality=side), {"by_side": sides})[0] for side in ("L", "R")
    ]
    assert [row["cancer"] for row in told] == [1, 0]
    assert ["assumed_normal" in row["qc_flags"] for row in told] == [True, False]


def test_pair_group_parts_images_of_one_view(maker):
    keys = {
        maker.row("a.dcm", record(), {"pair_group": group} if group else {})[0]["pair_key"]
        for group in ("pair0", "pair1", None)
    }
    assert len(keys) == 3


def test_padding_of_the_source_stands_in_for_the_headers(maker):
    padded = record(pixel_padding_value=5)
    told = [
        maker.row("a.dcm", one, {"pixel_padding_value": 0})[0]["pixel_padding_value"]
        for one in (record(), padded)
    ]
    assert told == [0, 5]


def test_boxes_of_another_frame_are_brought_back_and_counted(maker):
    labels = {"annotations": [box(1, 2, 3, 4, source_frame="duke_upright")]}
    row, notes = maker.row("a.dcm", record(pixels_face="left"), labels)
    (one,) = row["annotations"]
    assert (one["coords"], one["source_frame"]) == ([47, 96, 49, 98], "duke_upright")
    assert "orient_rotated" in row["qc_flags"]
    assert notes["orient_rotated"] == 1


def side_flagged(maker, face, header="L", turned=False, **labels):
    flags = ["laterality_tag_vs_pixels"] if header == "L" and face == "left" else []
    seen = record(pixels_face=face, laterality=header, qc_flags=flags)
    frame = {"source_frame": "duke_upright"} if turned else {}
    row, notes = maker.row("a.dcm", seen, {**labels, **frame})
    assert notes.get("laterality_tag_vs_pixels", 0) == row["qc_flags"].count(
        "laterality_tag_vs_pixels"
    )
    return "laterality_tag_vs_pixels" in row["qc_flags"]


def test_side_of_the_table_is_what_the_pixels_are_held_against(maker):
    assert not side_flagged(maker, "left", laterality="R")
    assert side_flagged(maker, "right", laterality="R")
    assert side_flagged(maker, "right", header=None, laterality="R")
    assert side_flagged(maker, "left")
    assert not side_flagged(maker, "unknown", laterality="R")


def test_side_of_images_that_are_stored_mirrored_is_the_other_edge(maker):
    assert not side_flagged(maker, "right", laterality="R", mirrored=True)
    assert side_flagged(maker, "left", laterality="R", mirrored=True)


def test_volume_that_is_turned_is_said_to_be_and_not_of_a_wrong_side(maker):
    assert not side_flagged(maker, "right", laterality="R", turned=True)
    row, notes = maker.row(
        "a.dcm", record(pixels_face="right"), {"laterality": "R", "source_frame": "duke_upright"}
    )
    assert "orient_rotated" in row["qc_flags"]
    assert notes["orient_rotated"] == 1


def test_air_on_the_bright_side_is_counted(maker):
    for flag in ("polarity_suspect", "values_over_bits_stored"):
        row, notes = maker.row("a.dcm", record(qc_flags=[flag]), {})
        assert (row["qc_flags"], notes) == ([flag], {flag: 1})


def test_mask_stands_for_a_box_and_an_unread_one_drops_its_finding(maker):
    told = {"shape": "box", "coords": None, "mask_files": ["m"], "finding_id": None}
    masks = [{"box": [1.0, 2.0, 3.0, 4.0], "flags": ["mask_resized"]},
             {"box": None, "flags": ["mask_unreadable"]}]  # fmt: skip
    row, notes = maker.row("a.dcm", record(masks=masks), {"annotations": [told, told]})
    assert [one["coords"] for one in row["annotations"]] == [[1, 2, 3, 4]]
    assert {"mask_resized", "mask_unreadable"} <= set(row["qc_flags"])
    assert notes["mask_unreadable"] == 1
    assert "mask_files" not in row["annotations"][0]


def test_finding_drawn_on_another_size_leaves_the_masks_of_the_others_in_place(maker):
    told = {"shape": "box", "coords": None, "mask_files": ["m"], "finding_id": None}
    masks = [{"box": [1.0, 2.0, 3.0, 4.0], "flags": []}, {"box": [5.0, 6.0, 7.0, 8.0], "flags": []}]
    given = [{**told, "of_size": [1, 1]}, told]
    row, _ = maker.row("a.dcm", record(masks=masks), {"annotations": given})
    assert [one["coords"] for one in row["annotations"]] == [[5.0, 6.0, 7.0, 8.0]]
    assert "size_contradicted" in row["qc_flags"]
