"""From a detector's outputs to a few boxes: top candidates, non-maximum suppression, keep the best.

One rule for evaluation, pseudo-labels and serving; FAUC-1 depends on it (P1-A15).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.ops import nms

from mgray.data.transforms import Geometry
from mgray.models.boxes import decode_boxes
from mgray.models.config import PostprocessConfig

__all__ = ["Kept", "PostprocessConfig", "select_boxes", "to_dicom"]


class Kept(NamedTuple):
    """What is left of one image, by falling score."""

    boxes: Float[Tensor, "box 4"]
    scores: Float[Tensor, " box"]
    classes: Int[Tensor, " box"]


def select_boxes(
    logits: Float[Tensor, "anchor class"],
    deltas: Float[Tensor, "anchor 4"],
    anchors: Float[Tensor, "anchor 4"],
    config: PostprocessConfig,
) -> Kept:
    """Turn one image's outputs into its best boxes, suppressed within each class.

    Equal scores keep the anchors' order, so the answer is a function of the outputs alone. Ranking
    is by logit: sigmoids of confident boxes round to the same float.

    Args:
        logits: Class logits of every anchor.
        deltas: Box regression relative to the anchor.
        anchors: ``xyxy``, pixels of the network input.
        config: Limits.

    Returns:
        Boxes ``xyxy`` in pixels of the network input, not clipped to it.

    References:
        arXiv:1911.09070; the order of steps is that of google/automl.
    """
    classes = logits.shape[1]
    flat = logits.flatten()
    chosen = _highest(flat, min(config.candidates, flat.numel()))
    ranked = chosen[torch.argsort(flat[chosen], descending=True, stable=True)]
    anchor, label = ranked // classes, ranked % classes
    boxes = decode_boxes(deltas[anchor].unsqueeze(0), anchors[anchor])[0]
    survivors = _suppress(boxes, flat[ranked], label, config.nms_iou)[: config.keep]
    return Kept(boxes[survivors], torch.sigmoid(flat[ranked[survivors]]), label[survivors])


def to_dicom(kept: Kept, geometry: Geometry, rows: int, columns: int) -> Float[np.ndarray, "box 4"]:
    """Map boxes to the dicom frame and clip them to the image.

    What lies in the padding has no area left: leave it out.

    Args:
        kept: In the net frame.
        geometry: Of the image.
        rows: Height of its dicom frame.
        columns: Width of its dicom frame.
    """
    boxes = geometry.boxes_to_dicom(kept.boxes.cpu().numpy().astype(np.float64))
    clipped: Float[np.ndarray, "box 4"] = np.clip(boxes, 0, (columns, rows, columns, rows))
    return clipped


def _highest(values: Float[Tensor, " value"], count: int) -> Int[Tensor, " _"]:
    """Positions of the highest values, rising; of equal ones the first, which topk leaves open."""
    least = torch.topk(values, count).values[-1:]
    above, equal = (values > least).nonzero(), (values == least).nonzero()
    return torch.cat([above, equal[: count - len(above)]]).squeeze(1).sort().values


def _suppress(
    boxes: Float[Tensor, "box 4"],
    ranks: Float[Tensor, " box"],
    classes: Int[Tensor, " box"],
    iou: float,
) -> Int[Tensor, " kept"]:
    """Positions that survive within their class, rising; the input is sorted by falling rank."""
    kept = []
    for label in range(int(classes.max()) + 1):
        members = (classes == label).nonzero().squeeze(1)
        kept.append(members[nms(boxes[members], ranks[members], iou)])
    return torch.cat(kept).sort().values
