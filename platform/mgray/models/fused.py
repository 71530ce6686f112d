"""Two representations, one head: the fused model of stage III and the upper bound (P1).

Each holds two trunks (backbone and neck) and one pair of heads. Features are concatenated along the
channels; the heads take both halves (P1-A24) and start as A's, blind to the second half.
"""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgray.models.bifpn import Map
from mgray.models.config import DetectorConfig, FusionConfig
from mgray.models.efficientdet import EfficientDet, anchors_of, build_heads
from mgray.models.heads import Head, embed, widen
from mgray.models.layers import freeze
from mgray.models.outputs import Outputs


class TwoTrunks(nn.Module):
    """What the fused model and the upper bound share.

    Args:
        a: The detector whose heads are taken over; copied, left unchanged.
        other: The detector whose trunk gives the second half; copied, left unchanged.
        fusion: How the halves meet.
    """

    def __init__(
        self, a: EfficientDet, other: EfficientDet, fusion: FusionConfig | None = None
    ) -> None:
        super().__init__()
        self.config, self.fusion = a.config, fusion or FusionConfig()
        self.trunk_a, self.trunk_b = copy.deepcopy(a.trunk), copy.deepcopy(other.trunk)
        self.class_head, self.box_head = _first_heads(a, self.fusion)
        self.mixers = (
            _build_mixers(a.config, self.fusion) if self.fusion.mode == "fuse_conv" else None
        )

    def predict(self, features: Sequence[Map]) -> Outputs:
        """Predict from concatenated features, 2C channels."""
        if self.mixers is not None:
            features = [mix(maps) for mix, maps in zip(self.mixers, features, strict=True)]
        return Outputs(self.class_head(features), self.box_head(features))

    def halves(self, features: Sequence[Map]) -> tuple[Outputs, Outputs]:
        """Predict from each half of the concatenated features, the other one set to zero."""
        pairs = [maps.chunk(2, dim=1) for maps in features]
        first = [torch.cat((a, torch.zeros_like(b)), dim=1) for a, b in pairs]
        second = [torch.cat((torch.zeros_like(a), b), dim=1) for a, b in pairs]
        return self.predict(first), self.predict(second)

    def anchors(self, height: int, width: int) -> Float[Tensor, "anchor 4"]:
        """The anchors of an input size, on the model's device."""
        return anchors_of(self, self.config, height, width)


class FusedDetector(TwoTrunks):
    """A and B on the same SM image; B is frozen, its batch norms too."""

    def __init__(
        self, a: EfficientDet, b: EfficientDet, fusion: FusionConfig | None = None
    ) -> None:
        super().__init__(a, b, fusion)
        freeze(self.trunk_b)

    def features(self, sm: Float[Tensor, "batch 3 height width"]) -> list[Map]:
        """Concatenate h of A and h' of B."""
        with torch.no_grad():
            second = self.trunk_b(sm)
        return _concatenate(self.trunk_a(sm), second)

    def forward(self, sm: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """Predict from SM alone."""
        return self.predict(self.features(sm))

    def train(self, mode: bool = True) -> "FusedDetector":
        """Switch everything but B."""
        super().train(mode)
        self.trunk_b.eval()
        return self


class UpperBound(TwoTrunks):
    """A on SM and C on FFDM, trained end to end: what B could at best stand in for."""

    def features(
        self,
        sm: Float[Tensor, "batch 3 height width"],
        ffdm: Float[Tensor, "batch 3 height width"],
    ) -> list[Map]:
        """Concatenate h of A and h of C; both images have one geometry."""
        return _concatenate(self.trunk_a(sm), self.trunk_b(ffdm))

    def forward(
        self,
        sm: Float[Tensor, "batch 3 height width"],
        ffdm: Float[Tensor, "batch 3 height width"],
    ) -> Outputs:
        """Predict from both images."""
        return self.predict(self.features(sm, ffdm))


def _concatenate(first: Sequence[Map], second: Sequence[Map]) -> list[Map]:
    return [torch.cat(pair, dim=1) for pair in zip(first, second, strict=True)]


def _first_heads(a: EfficientDet, fusion: FusionConfig) -> tuple[Head, Head]:
    if fusion.mode == "wide_head":
        wide = build_heads(a.config, widths=2)
        if fusion.init == "from_a":
            for head, narrow in zip(wide, (a.class_head, a.box_head), strict=True):
                embed(head, narrow)
        return wide
    if fusion.init == "random":
        heads = build_heads(a.config)
    else:
        heads = copy.deepcopy(a.class_head), copy.deepcopy(a.box_head)
    if fusion.mode == "concat_head":
        for head in heads:
            widen(head, blind=fusion.init == "from_a")
    return heads


def _build_mixers(config: DetectorConfig, fusion: FusionConfig) -> nn.ModuleList:
    channels, levels = config.architecture.channels, config.architecture.levels
    mixers = [nn.Conv2d(2 * channels, channels, 1) for _ in range(levels)]
    if fusion.init == "from_a":
        for mixer in mixers:
            nn.init.zeros_(mixer.weight)
            nn.init.eye_(mixer.weight[:, :channels, 0, 0])
            assert mixer.bias is not None
            nn.init.zeros_(mixer.bias)
    return nn.ModuleList(mixers)
