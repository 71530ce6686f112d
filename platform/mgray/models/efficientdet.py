"""EfficientDet: a timm backbone, the BiFPN, two heads.

References:
    arXiv:1911.09070; parity with effdet 0.4.1 is a test.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgray.errors import ConfigError
from mgray.models.anchors import build_anchors
from mgray.models.bifpn import BiFpn, Map
from mgray.models.config import DetectorConfig
from mgray.models.heads import Head, start_at_prior
from mgray.models.outputs import Outputs
from mgray.models.weights import load_weights

__all__ = ["DetectorConfig", "EfficientDet", "Outputs", "Trunk", "build_detector"]


class Trunk(nn.Module):
    """Backbone and neck: an image in, the representation h out."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.divisor = 2**config.architecture.max_level
        backbone: Any = timm.create_model(
            config.architecture.backbone,
            features_only=True,
            out_indices=(2, 3, 4),
            pretrained=False,
            drop_path_rate=config.drop_path,
        )
        widths: list[int] = backbone.feature_info.channels()
        self.backbone: nn.Module = backbone
        self.neck = BiFpn(widths, config.architecture, config.norm_momentum)

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> list[Map]:
        """Compute h: one map per pyramid level, fine to coarse, all of the neck's width.

        Raises:
            ConfigError: A side that the coarsest stride does not divide.
        """
        height, width = image.shape[-2:]
        if height % self.divisor or width % self.divisor:
            raise ConfigError(
                f"network input is {height}x{width}: expected sides divisible by {self.divisor}"
            )
        channels_last = image.contiguous(memory_format=torch.channels_last)  # 1.4 times as fast
        maps: list[Map] = self.neck(self.backbone(channels_last))
        return maps


class EfficientDet(nn.Module):
    """One detector; ``forward`` is ``predict(features(image))``."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)
        self.class_head, self.box_head = build_heads(config)

    def features(self, image: Float[Tensor, "batch 3 height width"]) -> list[Map]:
        """Compute h, the neck's maps (P1-A18)."""
        maps: list[Map] = self.trunk(image)
        return maps

    def predict(self, features: Sequence[Map]) -> Outputs:
        """Predict from h."""
        return Outputs(self.class_head(features), self.box_head(features))

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """Predict from an image."""
        return self.predict(self.features(image))

    def anchors(self, height: int, width: int) -> Float[Tensor, "anchor 4"]:
        """The anchors of an input size, on the model's device."""
        return anchors_of(self, self.config, height, width)


def build_detector(config: DetectorConfig) -> EfficientDet:
    """Build a detector with the weights its config names.

    What the weights leave out (heads, with ``imagenet`` the neck too) is drawn from Torch's global
    generator: seed it first.

    Raises:
        ConfigError: Weights that do not fit.
        NotFoundError: Weights that are neither here nor within reach.
    """
    model = EfficientDet(config)
    load_weights(model, config)
    return model


def build_heads(config: DetectorConfig, widths: int = 1) -> tuple[Head, Head]:
    """Make a class head and a box head, untrained, of so many times the neck's channels."""
    neck = config.architecture
    architecture = replace(neck, channels=widths * neck.channels)
    class_head = Head(config.classes, architecture, config.norm_momentum)
    start_at_prior(class_head)
    return class_head, Head(4, architecture, config.norm_momentum)


def anchors_of(
    model: nn.Module, config: DetectorConfig, height: int, width: int
) -> Float[Tensor, "anchor 4"]:
    """The anchors of a model's input size, on its device."""
    architecture = config.architecture
    anchors = build_anchors(height, width, architecture.anchor_scale, architecture.max_level)
    return anchors.to(next(model.parameters()).device)
