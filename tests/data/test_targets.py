from typing import Any

import numpy as np
import pytest
import torch

from mgray.data.augment import Augmentation
from mgray.data.targets import (
    Sample,
    carry_over,
    prepare_sample,
    read_findings,
    shared_annotations,
)
from mgray.data.transforms import PreprocessConfig, locate

NET = PreprocessConfig(net_height=64, net_width=48, margin=0.0)
BOX = (10, 20, 20, 40)


def sample_of(make_row: Any, only_visible: bool = False, **findings: list[Any]) -> Sample:
    """A sample of 64 x 48 images, so that net and dicom frame are the same."""
    records = {kind: make_row(annotations=found) for kind, found in findings.items()}
    return prepare_sample(records, NET, only_visible)


def test_boxes_are_in_the_net_frame(make_row: Any, make_finding: Any) -> None:
    stored = np.zeros((128, 96))
    record = make_row(stored, annotations=[make_finding(BOX)], pixels_face="left")
    sample = prepare_sample({"sm": record}, NET, only_visible=False)
    assert sample.boxes["sm"][0].tolist() == pytest.approx([37.75, 10.25, 42.75, 20.25])


@pytest.mark.parametrize(
    ("pathology", "label"), [("benign", 0), ("high_risk", 0), ("malignant", 1)]
)
def test_pathology_gives_the_class(
    make_row: Any, make_finding: Any, pathology: str, label: int
) -> None:
    sample = sample_of(make_row, sm=[make_finding(BOX, pathology=pathology)])
    assert sample.labels.tolist() == [label]


@pytest.mark.parametrize(
    "change", [{"pathology": None}, {"pathology": "other_cancer"}, {"shape": "point"}]
)
def test_findings_without_class_or_box_are_no_targets(
    make_row: Any, make_finding: Any, change: dict[str, Any]
) -> None:
    assert len(sample_of(make_row, sm=[make_finding(BOX, **change)]).labels) == 0


def test_an_image_without_findings_has_empty_targets(make_row: Any) -> None:
    sample = sample_of(make_row, sm=[], ffdm=[])
    assert sample.boxes["ffdm"].shape == (0, 4)
    assert sample.labels.dtype == torch.long


def test_rows_of_both_kinds_are_the_same_findings(make_row: Any, make_finding: Any) -> None:
    one, two = make_finding(BOX, finding_id="1"), make_finding((1, 1, 9, 9), finding_id="2")
    sample = sample_of(make_row, sm=[one, two], ffdm=[two, one])
    assert torch.equal(sample.boxes["sm"], sample.boxes["ffdm"])
    assert sample.boxes["sm"].tolist() == [[10, 20, 20, 40], [1, 1, 9, 9]]


def test_a_finding_named_in_one_image_is_a_target_in_both(make_row: Any, make_finding: Any) -> None:
    sample = sample_of(make_row, sm=[], ffdm=[make_finding(BOX)])
    assert sample.boxes["sm"].tolist() == [list(map(float, BOX))]


def test_windows_of_two_sizes_carry_a_finding_to_its_place(
    make_row: Any, make_finding: Any
) -> None:
    """Each kind's window has its own magnification: the net frames do not lie on each other."""
    windows = {"ffdm": (160, 120), "synthetic_2d": (96, 72)}
    net = PreprocessConfig(fit="window", windows=windows, net_height=64, net_width=48)
    ffdm = make_row(np.zeros((128, 96)), image_kind="ffdm", breast_box=[0, 16, 64, 112])
    sm = make_row(np.zeros((64, 48)), breast_box=[0, 8, 32, 56])
    found = [make_finding((16, 32, 32, 64))]
    sample = prepare_sample({"sm": sm, "ffdm": {**ffdm, "annotations": found}}, net, False)
    own = locate(sm, net).boxes_to_dicom(sample.boxes["sm"].double().numpy())
    assert own.tolist() == [pytest.approx([8, 16, 16, 32], abs=0.3)]
    [alone] = shared_annotations(sm, {**ffdm, "annotations": found})
    assert own[0] == pytest.approx(alone["coords"], abs=0.01)


def test_each_image_keeps_its_own_box_of_a_finding(make_row: Any, make_finding: Any) -> None:
    sample = sample_of(make_row, sm=[make_finding(BOX)], ffdm=[make_finding((1, 1, 9, 9))])
    assert sample.boxes["sm"].tolist() == [list(map(float, BOX))]
    assert sample.boxes["ffdm"].tolist() == [[1, 1, 9, 9]]


def test_findings_without_id_are_kept_apart(make_row: Any, make_finding: Any) -> None:
    found = [make_finding(BOX, finding_id=None), make_finding((1, 1, 9, 9), finding_id=None)]
    assert len(sample_of(make_row, sm=found).labels) == 2


@pytest.mark.parametrize(("only_visible", "count"), [(False, 1), (True, 0)])
def test_hidden_findings_are_targets_unless_told_otherwise(
    make_row: Any, make_finding: Any, only_visible: bool, count: int
) -> None:
    hidden = make_finding(BOX, visible=False)
    assert len(sample_of(make_row, only_visible, sm=[hidden]).labels) == count


def test_a_finding_seen_in_one_of_the_images_is_not_hidden(
    make_row: Any, make_finding: Any
) -> None:
    hidden, seen = make_finding(BOX, visible=False), make_finding(BOX)
    assert len(sample_of(make_row, True, sm=[hidden], ffdm=[seen]).labels) == 1


def test_unknown_visibility_counts_as_visible(make_row: Any, make_finding: Any) -> None:
    assert not read_findings(make_row(annotations=[make_finding(BOX, visible=None)]))[0].hidden


def test_boxes_are_cut_at_the_frame(make_row: Any, make_finding: Any) -> None:
    sample = sample_of(make_row, sm=[make_finding((30, 50, 90, 90))])
    assert sample.boxes["sm"].tolist() == [[30, 50, 48, 64]]


def test_a_box_outside_the_frame_is_dropped_with_its_label(
    make_row: Any, make_finding: Any
) -> None:
    inside = make_finding(BOX, finding_id="2", pathology="benign")
    sample = sample_of(make_row, sm=[make_finding((60, 70, 90, 90)), inside])
    assert sample.labels.tolist() == [0]
    assert len(sample.boxes["sm"]) == 1


def test_a_malignant_box_outside_the_frame_is_lost(make_row: Any, make_finding: Any) -> None:
    away = (60, 70, 90, 90)
    assert sample_of(make_row, sm=[make_finding(away), make_finding(BOX, finding_id="2")]).lost
    assert not sample_of(make_row, sm=[make_finding(away, pathology="benign")]).lost


def test_a_finding_moved_out_of_the_frame_is_dropped(make_row: Any, make_finding: Any) -> None:
    away = Augmentation(
        False, False, shift=(-0.5, 0.0), scale=1.0, rotation=0.0, grey={"sm": (1.0, 0.0)}
    )
    sample = sample_of(
        make_row, sm=[make_finding(BOX), make_finding((26, 2, 46, 9), finding_id="2")]
    )
    moved = sample.augmented(away)
    assert moved.labels.tolist() == [1]
    assert moved.boxes["sm"].tolist() == [[2, 2, 22, 9]]
    assert moved.lost


def test_a_finding_of_the_partner_is_a_target(make_row: Any, make_finding: Any) -> None:
    """The partner has twice the pixels and faces the other way."""
    partner = make_row(
        np.zeros((128, 96)), annotations=[make_finding((56, 40, 76, 80))], pixels_face="left"
    )
    sample = prepare_sample({"sm": make_row()}, NET, only_visible=False, partner=partner)
    assert sample.labels.tolist() == [1]
    assert sample.boxes["sm"][0].tolist() == pytest.approx(BOX, abs=0.5)


def test_the_partners_place_is_not_taken_where_the_image_has_its_own(
    make_row: Any, make_finding: Any
) -> None:
    records = {"sm": make_row(annotations=[make_finding(BOX)])}
    partner = make_row(annotations=[make_finding((1, 1, 9, 9))])
    sample = prepare_sample(records, NET, only_visible=False, partner=partner)
    assert sample.boxes["sm"].tolist() == [list(map(float, BOX))]


@pytest.mark.parametrize(("pathology", "count"), [("malignant", 1), ("benign", 2)])
def test_a_lesion_drawn_on_both_images_under_two_names_is_one_target(
    make_row: Any, make_finding: Any, pathology: str, count: int
) -> None:
    other = make_finding((1, 1, 9, 9), finding_id="g", pathology=pathology)
    sample = sample_of(make_row, sm=[make_finding(BOX)], ffdm=[other])
    assert len(sample.labels) == count


def test_what_the_partner_shows_does_not_unhide_a_finding(make_row: Any, make_finding: Any) -> None:
    records = {"sm": make_row(annotations=[make_finding(BOX, visible=False)])}
    partner = make_row(annotations=[make_finding(BOX)])
    assert len(prepare_sample(records, NET, only_visible=True, partner=partner).labels) == 0


def test_annotations_are_shared_in_the_images_own_frame(make_row: Any, make_finding: Any) -> None:
    mine = make_row(annotations=[make_finding(BOX)])
    theirs = make_row(
        np.zeros((128, 96)),
        annotations=[make_finding(BOX), make_finding((20, 40, 40, 80), finding_id="2")],
    )
    own, carried = shared_annotations(mine, theirs)
    assert own == mine["annotations"][0]
    assert carried["coords"] == pytest.approx(BOX, abs=0.5)
    assert (carried["finding_id"], carried["pathology"]) == ("2", "malignant")
    assert carried["visible"] is None


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("there", [(0, 0, 64, 96), (0, 16, 64, 112), (16, 30, 90, 120)])
@pytest.mark.parametrize("here", [(0, 0, 32, 30), (3, 8, 32, 56), (10, 20, 48, 64)])
def test_a_breast_lies_on_its_partner_at_any_edge(
    make_row: Any, there: tuple[int, ...], here: tuple[int, ...], mirrored: bool
) -> None:
    """A rim around it, as a network sees one, may be cut at the edge of one image alone."""
    origin = make_row(np.zeros((128, 96)), breast_box=[*map(float, there)])
    face = "left" if mirrored else "right"
    target = make_row(np.zeros((64, 48)), breast_box=[*map(float, here)], pixels_face=face)
    found = carry_over(np.array([there], float), origin, target)
    np.testing.assert_allclose(found, [here], atol=1e-9)
    wall = np.array([[there[0], there[1], there[0], there[3]]], float)
    side = here[2] if mirrored else here[0]
    np.testing.assert_allclose(carry_over(wall, origin, target)[0, [0, 2]], side, atol=1e-9)


def test_what_the_partner_shows_outside_this_image_is_not_shared(
    make_row: Any, make_finding: Any
) -> None:
    mine = make_row(breast_box=[0.0, 0.0, 40.0, 64.0])
    theirs = make_row(breast_box=[0.0, 10.0, 40.0, 60.0], annotations=[make_finding((5, 1, 15, 9))])
    assert shared_annotations(mine, theirs) == []


def test_boxes_of_one_finding_in_one_image_are_all_targets(
    make_row: Any, make_finding: Any
) -> None:
    """Several readers mark one lesion; each box has its partner in the other image."""
    two = [make_finding(BOX, finding_id="1"), make_finding((1, 1, 9, 9), finding_id="1")]
    assert len(sample_of(make_row, sm=two).labels) == 2
    sample = sample_of(make_row, sm=two, ffdm=[two[0]])
    assert sample.boxes["sm"].tolist() == [[10, 20, 20, 40], [1, 1, 9, 9]]
    assert len(shared_annotations(make_row(annotations=two), make_row(annotations=two))) == 2
