"""Which anchors shall find which boxes.

References:
    google/automl ``ArgMaxMatcher``: IoU 0.5, and the best anchor of each box whatever its overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mgray.models.boxes import box_iou, encode_boxes

POSITIVE_IOU: Final = 0.5
BACKGROUND: Final = -1


@dataclass(frozen=True)
class Targets:
    """What the heads should say about each anchor of a batch.

    Args:
        classes: Class of the matched box, ``BACKGROUND`` if none.
        deltas: As ``encode_boxes``; 0 where background.
        annotated: False for images whose boxes are unknown: their class loss does not count.
    """

    classes: Int[Tensor, "batch anchor"]
    deltas: Float[Tensor, "batch anchor 4"]
    annotated: Bool[Tensor, " batch"]

    def positives(self) -> Int[Tensor, ""]:
        """Count the matched anchors of the whole batch."""
        return (self.classes != BACKGROUND).sum()


def assign_targets(
    anchors: Float[Tensor, "anchor 4"],
    boxes: Sequence[Float[Tensor, "_box 4"]],
    labels: Sequence[Int[Tensor, " _box"]],
    unannotated: Bool[Tensor, " batch"] | None = None,
) -> Targets:
    """Match a batch.

    Args:
        anchors: ``xyxy``, pixels of the network input.
        boxes: Each image's findings, likewise, or none; boxes without area are left out.
        labels: The class of each box, from 0.
        unannotated: True for images known to be positive whose boxes are unknown.
    """
    pairs = [_assign(anchors, b, c) for b, c in zip(boxes, labels, strict=True)]
    if unannotated is None:
        unannotated = torch.zeros(len(pairs), dtype=torch.bool, device=anchors.device)
    classes, deltas = (torch.stack(part) for part in zip(*pairs, strict=True))
    return Targets(classes, deltas, ~unannotated)


def match_anchors(
    anchors: Float[Tensor, "anchor 4"], boxes: Float[Tensor, "box 4"]
) -> Int[Tensor, " anchor"]:
    """Give each anchor the number of its box, or ``BACKGROUND``.

    An anchor takes the box it overlaps most, from an IoU of 0.5. Each box also takes its best
    anchor by force; if two boxes want the same anchor, the earlier one gets it.
    """
    if len(boxes) == 0:
        return torch.full((len(anchors),), BACKGROUND, device=anchors.device)
    iou = box_iou(boxes, anchors)
    overlap, matches = iou.max(dim=0)
    matches = torch.where(overlap >= POSITIVE_IOU, matches, BACKGROUND)
    best_iou, best_anchor = iou.max(dim=1)
    numbers = torch.arange(len(boxes), device=boxes.device)
    nobody = len(boxes)
    wanted = torch.where(best_iou > 0, numbers, nobody)
    forced = torch.full_like(matches, nobody).scatter_reduce(0, best_anchor, wanted, "amin")
    return torch.where(forced < nobody, forced, matches)


def best_anchor_iou(
    boxes: Float[Tensor, "box 4"], anchors: Float[Tensor, "anchor 4"]
) -> Float[Tensor, " box"]:
    """How well the best anchor covers each box: below 0.5 a box has one forced anchor only."""
    if len(boxes) == 0:
        return boxes.new_zeros(0)
    return torch.stack([box_iou(box[None], anchors).max() for box in boxes])  # little memory


def anchor_recall(
    boxes: Float[Tensor, "box 4"],
    anchors: Float[Tensor, "anchor 4"],
    thresholds: Sequence[float] = (0.3, 0.5, 0.7),
) -> dict[str, float]:
    """Summarise ``best_anchor_iou``: do these anchors suit these lesions?

    Returns:
        ``iou_p05``, ``iou_p50``, ``iou_p95`` (quantiles), ``recall@T`` (share of boxes from T).
    """
    best = best_anchor_iou(boxes, anchors)
    summary = {f"iou_p{q:02d}": float(torch.quantile(best, q / 100)) for q in (5, 50, 95)}
    return summary | {f"recall@{t}": float((best >= t).float().mean()) for t in thresholds}


def _assign(
    anchors: Float[Tensor, "anchor 4"],
    boxes: Float[Tensor, "box 4"],
    labels: Int[Tensor, " box"],
) -> tuple[Int[Tensor, " anchor"], Float[Tensor, "anchor 4"]]:
    solid = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    boxes, labels = boxes[solid], labels[solid]
    matches = match_anchors(anchors, boxes)
    classes, deltas = torch.full_like(matches, BACKGROUND), torch.zeros_like(anchors)
    hit = matches != BACKGROUND
    classes[hit] = labels[matches[hit]].to(classes.dtype)
    deltas[hit] = encode_boxes(boxes[matches[hit]].to(anchors.dtype), anchors[hit])
    return classes, deltas
