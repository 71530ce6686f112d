"""Focal loss over all anchors, Huber loss over the matched ones.

References:
    arXiv:1708.02002; arXiv:1911.09070 §5.1; parity with effdet 0.4.1, ``legacy_focal=False``.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from mgray.models.config import LossConfig
from mgray.models.matching import BACKGROUND, Targets, assign_targets
from mgray.models.outputs import Outputs

__all__ = ["LossConfig", "detection_loss", "focal_loss", "target_loss"]


def detection_loss(
    outputs: Outputs,
    anchors: Float[Tensor, "anchor 4"],
    boxes: Sequence[Float[Tensor, "_box 4"]],
    labels: Sequence[Int[Tensor, " _box"]],
    config: LossConfig,
    normaliser: Float[Tensor, ""] | None = None,
) -> dict[str, Tensor]:
    """Match a batch and compute ``target_loss``; for images of unknown boxes call the two steps."""
    return target_loss(outputs, assign_targets(anchors, boxes, labels), config, normaliser)


def target_loss(
    outputs: Outputs,
    targets: Targets,
    config: LossConfig,
    normaliser: Float[Tensor, ""] | None = None,
) -> dict[str, Tensor]:
    """Compare predictions with targets.

    Args:
        outputs: Of the detector; computed with in float32.
        targets: From ``assign_targets``.
        config: Weights and exponents.
        normaliser: What the sums are divided by. Left out: this batch's positives + 1. Where
            gradients are averaged over ranks, give (positives of all ranks + 1) / ranks (P1-A16).

    Returns:
        ``loss`` = ``class_loss`` + ``box_weight`` * ``box_loss``, all scalars.
    """
    logits, deltas = outputs.flat()
    if normaliser is None:
        normaliser = targets.positives() + 1.0
    one_hot = targets.classes[..., None] == torch.arange(logits.shape[-1], device=logits.device)
    focal = focal_loss(logits.float(), one_hot.float(), config)
    class_loss = (focal.sum(dim=(1, 2)) * targets.annotated).sum() / normaliser
    matched = targets.classes != BACKGROUND
    huber = functional.huber_loss(
        deltas.float()[matched], targets.deltas[matched], reduction="sum", delta=config.huber_delta
    )
    box_loss = huber / (4 * normaliser)
    loss = class_loss + config.box_weight * box_loss
    return {"loss": loss, "class_loss": class_loss, "box_loss": box_loss}


def focal_loss(
    logits: Float[Tensor, "*shape"], truth: Float[Tensor, "*shape"], config: LossConfig
) -> Float[Tensor, "*shape"]:
    """Focal loss of each logit.

    ``-alpha (1 - p)^gamma log p`` with p the probability given to the truth. The modulator is
    computed in the log domain, so its gradient stays finite where p rounds to 1, for any gamma.

    Args:
        logits: Before the sigmoid.
        truth: 0 or 1.
        config: ``alpha_positive``, both gammas, ``label_smoothing``.
    """
    alpha = config.alpha_positive * truth + (1 - config.alpha_positive) * (1 - truth)
    gamma = config.gamma_positive * truth + config.gamma_negative * (1 - truth)
    log_miss = functional.logsigmoid(logits * (1 - 2 * truth))
    smooth = truth * (1 - config.label_smoothing) + 0.5 * config.label_smoothing
    entropy = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return alpha * torch.exp(gamma * log_miss) * entropy
