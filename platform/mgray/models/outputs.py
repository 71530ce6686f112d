"""What a detector predicts."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Outputs:
    """Predictions per pyramid level, fine to coarse; anchors in the order of ``build_anchors``.

    Args:
        class_logits: One logit per class, before the sigmoid.
        box_deltas: ``(dx, dy, log dw, log dh)``, relative to the anchor's size.
    """

    class_logits: list[Float[Tensor, "_batch _anchor _class"]]
    box_deltas: list[Float[Tensor, "_batch _anchor 4"]]

    def flat(
        self,
    ) -> tuple[Float[Tensor, "batch anchor class"], Float[Tensor, "batch anchor 4"]]:
        """Join the levels."""
        return torch.cat(self.class_logits, dim=1), torch.cat(self.box_deltas, dim=1)
