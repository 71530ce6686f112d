import pytest
import torch

from mgray.inference.postprocess import PostprocessConfig, select_boxes

ANCHORS = torch.tensor(
    [[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [90, 0, 100, 20], [90, 60, 100, 90]]
)
STILL = torch.zeros(5, 4)
LOW = -9.0


def logits(**best: float) -> torch.Tensor:
    """Malignant logits of a few anchors, by ``a<index>``; everything else is low."""
    table = torch.full((5, 2), LOW)
    for name, value in best.items():
        table[int(name[1:]), 1] = value
    return table


def test_the_best_score_comes_first():
    kept = select_boxes(logits(a2=1.0, a3=2.0), STILL, ANCHORS, PostprocessConfig())
    assert kept.boxes[:2].tolist() == [ANCHORS[3].tolist(), ANCHORS[2].tolist()]


def test_a_score_is_the_sigmoid_of_its_logit():
    kept = select_boxes(logits(a2=1.5), STILL, ANCHORS, PostprocessConfig())
    assert kept.scores[0] == torch.sigmoid(torch.tensor(1.5))


def test_a_weaker_box_on_the_same_place_goes():
    kept = select_boxes(logits(a0=2.0, a1=1.0), STILL, ANCHORS, PostprocessConfig(candidates=2))
    assert kept.boxes.tolist() == [ANCHORS[0].tolist()]


def test_boxes_below_the_overlap_limit_both_stay():
    config = PostprocessConfig(candidates=2, nms_iou=0.9)
    kept = select_boxes(logits(a0=2.0, a1=1.0), STILL, ANCHORS, config)
    assert len(kept.boxes) == 2


def test_the_two_classes_do_not_suppress_each_other():
    both = torch.full((5, 2), LOW)
    both[0] = torch.tensor([1.0, 2.0])
    kept = select_boxes(both, STILL, ANCHORS, PostprocessConfig(candidates=2))
    assert kept.classes.tolist() == [1, 0]


def test_only_the_best_candidates_enter():
    kept = select_boxes(logits(a2=1.0), STILL, ANCHORS, PostprocessConfig(candidates=1))
    assert len(kept.boxes) == 1


def test_no_more_than_keep_boxes_are_left():
    kept = select_boxes(logits(a2=1.0, a3=2.0), STILL, ANCHORS, PostprocessConfig(keep=2))
    assert kept.scores.tolist() == torch.sigmoid(torch.tensor([2.0, 1.0])).tolist()


def test_equal_scores_keep_the_order_of_the_anchors():
    kept = select_boxes(torch.zeros(5, 1), STILL, ANCHORS, PostprocessConfig())
    assert kept.boxes.tolist() == ANCHORS[[0, 2, 3, 4]].tolist()


def test_saturated_scores_are_ranked_by_their_logits():
    kept = select_boxes(logits(a2=90.0, a3=99.0), STILL, ANCHORS, PostprocessConfig(keep=2))
    assert kept.boxes.tolist() == ANCHORS[[3, 2]].tolist()
    assert kept.scores.tolist() == [1.0, 1.0]


def test_deltas_move_and_stretch_a_box():
    deltas = STILL.clone()
    deltas[2] = torch.tensor([0.5, -0.5, 0.0, torch.log(torch.tensor(2.0))])
    kept = select_boxes(logits(a2=1.0), deltas, ANCHORS, PostprocessConfig(keep=1))
    assert kept.boxes[0].tolist() == pytest.approx([55, 40, 65, 60])


def test_of_equal_scores_the_first_anchors_are_candidates():
    corners = 20.0 * torch.arange(40).unsqueeze(1)
    anchors = torch.cat([corners, corners, corners + 10, corners + 10], dim=1)
    settings = PostprocessConfig(candidates=5)
    kept = select_boxes(torch.zeros(40, 1), torch.zeros(40, 4), anchors, settings)
    assert kept.boxes[:, 0].tolist() == [0, 20, 40, 60, 80]
