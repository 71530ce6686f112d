"""Boxes against anchors: overlap, and the four numbers a box head predicts."""

import torch
from jaxtyping import Float
from torch import Tensor


def box_iou(
    boxes: Float[Tensor, "box 4"], others: Float[Tensor, "other 4"]
) -> Float[Tensor, "box other"]:
    """Intersection over union of each pair of ``xyxy`` boxes; 0 where both are empty."""
    low = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    union = _area(boxes)[:, None] + _area(others)[None] - shared
    return torch.where(shared > 0, shared / union, torch.zeros_like(shared))


def encode_boxes(
    boxes: Float[Tensor, "anchor 4"], anchors: Float[Tensor, "anchor 4"]
) -> Float[Tensor, "anchor 4"]:
    """Turn boxes into regression targets, one per anchor.

    Args:
        boxes: ``xyxy``, pixels of the network input, sides above 0.
        anchors: Likewise.

    Returns:
        ``(dx, dy, log dw, log dh)``, relative to the anchor's size.

    References:
        arXiv:1311.2524, appendix C.
    """
    size, anchor_size = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2
    return torch.cat([shift / anchor_size, torch.log(size / anchor_size)], dim=1)


def decode_boxes(
    deltas: Float[Tensor, "batch anchor 4"], anchors: Float[Tensor, "anchor 4"]
) -> Float[Tensor, "batch anchor 4"]:
    """Turn regression deltas into boxes.

    Inverse of ``encode_boxes``. Boxes are not clipped to the image.

    Args:
        deltas: Head output ``(dx, dy, log dw, log dh)``, relative to the anchor's size.
        anchors: ``xyxy``, pixels of the network input.

    Returns:
        ``xyxy``, pixels of the network input.

    References:
        arXiv:1311.2524, appendix C.
    """
    anchor_size = anchors[:, 2:] - anchors[:, :2]
    centre = deltas[..., :2] * anchor_size + (anchors[:, :2] + anchors[:, 2:]) / 2
    half = torch.exp(deltas[..., 2:]) * anchor_size / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def _area(boxes: Float[Tensor, "box 4"]) -> Float[Tensor, " box"]:
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1)
