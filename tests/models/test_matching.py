import pytest
import torch

from mgray.models.anchors import build_anchors
from mgray.models.boxes import decode_boxes
from mgray.models.matching import (
    BACKGROUND,
    anchor_recall,
    assign_targets,
    best_anchor_iou,
    match_anchors,
)

ANCHORS = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30]])
NO_BOX, NO_LABEL = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)


def test_an_anchor_takes_the_box_it_overlaps_most() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 10]])
    assert match_anchors(ANCHORS[:1], boxes[[0]]).tolist() == [0]
    assert int(match_anchors(ANCHORS.repeat(2, 1), boxes)[3]) == 1


def test_an_iou_of_exactly_half_matches() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5]])
    assert match_anchors(anchors, anchors[1:]).tolist() == [0, 0]


def test_an_anchor_below_half_is_background() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 4.9]])
    assert match_anchors(anchors, anchors[1:]).tolist() == [BACKGROUND, 0]


def test_each_box_gets_its_best_anchor_by_force() -> None:
    small = torch.tensor([[21.0, 1, 22, 2]])
    assert match_anchors(ANCHORS, small).tolist() == [BACKGROUND, 0, BACKGROUND]


def test_force_wins_over_a_better_overlap_of_another_box() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [4, 4, 5, 5]])
    anchors = torch.tensor([[0.0, 0, 10, 9], [0, 0, 10, 10]])
    matches = match_anchors(anchors, boxes)
    assert matches.tolist() == [1, 0]


def test_of_two_boxes_that_want_one_anchor_the_earlier_gets_it() -> None:
    boxes = torch.tensor([[21.0, 1, 22, 2], [23, 1, 24, 2]])
    assert match_anchors(ANCHORS, boxes)[1] == 0
    assert match_anchors(ANCHORS, boxes.flip(0))[1] == 0


def test_a_box_that_touches_no_anchor_is_not_forced_onto_one() -> None:
    far = torch.tensor([[900.0, 900, 950, 950]])
    assert match_anchors(ANCHORS, far).tolist() == [BACKGROUND] * 3


def test_an_image_without_boxes_is_all_background() -> None:
    targets = assign_targets(ANCHORS, [NO_BOX], [NO_LABEL])
    assert targets.classes.tolist() == [[BACKGROUND] * 3]
    assert int(targets.positives()) == 0


def test_a_box_without_area_is_left_out() -> None:
    flat = torch.tensor([[1.0, 1, 1, 9]])
    targets = assign_targets(ANCHORS, [flat], [torch.tensor([1])])
    assert int(targets.positives()) == 0
    assert bool(targets.deltas.isfinite().all())


def test_targets_carry_the_boxs_class() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    targets = assign_targets(ANCHORS, [boxes], [torch.tensor([1, 0])])
    assert targets.classes.tolist() == [[1, 0, BACKGROUND]]


def test_target_deltas_decode_to_the_box() -> None:
    boxes = torch.tensor([[40.0, 50, 90, 80], [100, 20, 120, 60]])
    anchors = build_anchors(128, 128)
    targets = assign_targets(anchors, [boxes], [torch.tensor([0, 1])])
    decoded = decode_boxes(targets.deltas, anchors)[0]
    for label in (0, 1):
        found = decoded[targets.classes[0] == label]
        torch.testing.assert_close(found, boxes[[label]].expand_as(found), rtol=1e-4, atol=1e-3)


def test_the_order_of_a_batch_does_not_matter_to_its_images() -> None:
    boxes, labels = [ANCHORS[:1], NO_BOX], [torch.tensor([1]), NO_LABEL]
    one = assign_targets(ANCHORS, boxes, labels)
    two = assign_targets(ANCHORS, boxes[::-1], labels[::-1])
    assert torch.equal(one.classes, two.classes.flip(0))


def test_images_are_annotated_unless_said_otherwise() -> None:
    two = ([NO_BOX] * 2, [NO_LABEL] * 2)
    assert assign_targets(ANCHORS, *two).annotated.tolist() == [True, True]
    flagged = assign_targets(ANCHORS, *two, unannotated=torch.tensor([False, True]))
    assert flagged.annotated.tolist() == [True, False]


def test_an_anchor_covers_itself_perfectly() -> None:
    assert best_anchor_iou(ANCHORS, ANCHORS).tolist() == [1, 1, 1]


def test_lesions_of_40_to_1000_pixels_suit_the_default_anchors() -> None:
    generator = torch.Generator().manual_seed(0)
    side = torch.exp(torch.empty(40, 1).uniform_(3.69, 6.9, generator=generator))
    centre = torch.rand(40, 2, generator=generator) * 1000 + 500
    boxes = torch.cat([centre - side / 2, centre + side / 2], dim=1)
    summary = anchor_recall(boxes, build_anchors(2048, 2048))
    assert summary["recall@0.5"] == 1
    assert summary["iou_p05"] > 0.6


def test_no_boxes_have_no_best_anchor() -> None:
    assert best_anchor_iou(NO_BOX, ANCHORS).shape == (0,)


def test_recall_counts_the_boxes_at_each_threshold() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 4]])
    summary = anchor_recall(boxes, ANCHORS, thresholds=(0.3, 0.5))
    assert summary["recall@0.3"] == 1
    assert summary["recall@0.5"] == 0.5
    assert summary["iou_p50"] == pytest.approx(0.7)
