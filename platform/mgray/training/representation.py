"""What stage II compares: h, its projection z, their cosine (PAPERS.md 1.5, P1-A17 to A20)."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mgray.models.config import DetectorConfig
from mgray.models.efficientdet import EfficientDet
from mgray.models.heads import Head
from mgray.training.config import DistillationConfig

Map = Float[Tensor, "_batch _channel _height _width"]


class Representation(nn.Module):
    """A detector without its final predictors: an image in, h out (P1-A18)."""

    def __init__(self, detector: EfficientDet, location: Literal["bifpn", "after_towers"]) -> None:
        super().__init__()
        self.detector, self.location = detector, location

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> list[Map]:
        """Compute h: a map per level, or with ``after_towers`` of the class, then box head."""
        maps = self.detector.features(image)
        if self.location == "bifpn":
            return maps
        return tower(self.detector.class_head, maps) + tower(self.detector.box_head, maps)

    def unused(self) -> list[nn.Module]:
        """The parts of the detector that do not contribute to h."""
        heads = [self.detector.class_head, self.detector.box_head]
        return [*heads] if self.location == "bifpn" else [head.final for head in heads]


def tower(head: Head, features: Sequence[Map]) -> list[Map]:
    """Run a head's shared convolutions, without the last, predicting one."""
    maps = list(features)
    for conv, norms in zip(head.convs, head.norms, strict=True):
        assert isinstance(norms, nn.ModuleList)
        maps = [head.act(norm(conv(one))) for one, norm in zip(maps, norms, strict=True)]
    return maps


def build_projections(detector: DetectorConfig, config: DistillationConfig) -> nn.ModuleList:
    """Make the 3x3 convolutions h' -> z, one for each map of h; they keep its shape."""
    channels, levels = detector.architecture.channels, detector.architecture.levels
    groups = channels if config.projection == "depthwise" else 1
    maps = levels if config.h_location == "bifpn" else 2 * levels
    return nn.ModuleList(
        nn.Conv2d(channels, channels, 3, padding=1, groups=groups) for _ in range(maps)
    )


def similarity(
    projected: Sequence[Map], wanted: Sequence[Map], config: DistillationConfig
) -> Float[Tensor, ""]:
    """Mean cosine of z and h over a batch.

    Args:
        projected: z, one map per level.
        wanted: h of the teacher, of the same shapes.
        config: What the cosine spans (P1-A19) and how levels weigh (P1-A20).
    """
    pairs = list(zip(projected, wanted, strict=True))
    levels = torch.stack([_cosine(z.float(), h.float(), config.cosine) for z, h in pairs])
    if config.level_weighting == "equal":
        return levels.mean()
    cells = levels.new_tensor([h.shape[-2] * h.shape[-1] for h in wanted])
    return (levels * cells).sum() / cells.sum()


def _cosine(z: Map, h: Map, mode: Literal["position", "level", "pooled"]) -> Float[Tensor, ""]:
    if mode == "level":
        z, h = z.flatten(1), h.flatten(1)
    elif mode == "pooled":
        z, h = z.mean(dim=(2, 3)), h.mean(dim=(2, 3))
    return functional.cosine_similarity(z, h, dim=1).mean()
