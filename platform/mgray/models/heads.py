"""Class and box heads: convolutions shared by all levels, batch norms of each level's own.

References:
    arXiv:1911.09070 §4.2; rwightman/efficientdet-pytorch ``HeadNet``.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgray.models.anchors import ANCHORS_PER_CELL
from mgray.models.bifpn import Map
from mgray.models.config import Architecture
from mgray.models.layers import (
    SeparableConv,
    WideSeparableConv,
    activation,
    batch_norm,
    init_scaled,
)

PRIOR: Final = 0.01  # score of every anchor before training


class Head(nn.Module):
    """Predict some numbers per anchor at each level."""

    def __init__(self, numbers: int, architecture: Architecture, momentum: float) -> None:
        super().__init__()
        channels, repeats = architecture.channels, architecture.head_convs
        self.numbers = numbers
        self.convs = nn.ModuleList(
            SeparableConv(channels, channels, bias=architecture.redundant_bias)
            for _ in range(repeats)
        )
        self.norms = nn.ModuleList(
            nn.ModuleList(batch_norm(channels, momentum) for _ in range(architecture.levels))
            for _ in range(repeats)
        )
        self.act = activation(architecture)
        self.final = SeparableConv(channels, numbers * ANCHORS_PER_CELL, bias=True)
        for conv in [*self.convs, self.final]:
            init_scaled(conv)

    def forward(self, features: Sequence[Map]) -> list[Float[Tensor, "_batch _anchor _number"]]:
        """Predict for each level; anchors in the order of ``build_anchors``."""
        return [self._level(level, maps) for level, maps in enumerate(features)]

    def _level(self, level: int, features: Map) -> Float[Tensor, "_batch _anchor _number"]:
        for conv, norms in zip(self.convs, self.norms, strict=True):
            assert isinstance(norms, nn.ModuleList)
            features = self.act(norms[level](conv(features)))
        out: Tensor = self.final(features)
        return out.permute(0, 2, 3, 1).reshape(len(out), -1, self.numbers)


def start_at_prior(head: Head) -> None:
    """Set the class prediction's bias so that every score starts at ``PRIOR``."""
    bias = head.final.pointwise.bias
    assert bias is not None
    nn.init.constant_(bias, -math.log((1 - PRIOR) / PRIOR))


def widen(head: Head, *, blind: bool) -> None:
    """Let a head take 2C channels.

    Args:
        head: Changed in place.
        blind: The output stays the same for whatever the second C hold: its pointwise half starts
            as zeros, its depthwise half as a copy of the first (were it zero too, no gradient would
            ever pass). Otherwise the first layer is drawn anew.
    """
    first = head.convs[0]
    assert isinstance(first, SeparableConv)
    channels, outputs = first.pointwise.in_channels, first.pointwise.out_channels
    second = SeparableConv(channels, outputs, bias=False)
    if blind:
        second.depthwise.load_state_dict(first.depthwise.state_dict())
        nn.init.zeros_(second.pointwise.weight)
    else:
        for half in (first, second):
            init_scaled(half)
            half.pointwise.weight.data /= math.sqrt(2.0)  # two halves add up
    head.convs[0] = WideSeparableConv(first, second)


@torch.no_grad()
def embed(wide: Head, narrow: Head) -> None:
    """Let a head of more channels start with the output of one of fewer.

    Args:
        wide: Changed in place. Its first channels become ``narrow``'s and hear nothing of the rest;
            the rest stay as they were drawn, unheard by the prediction until it learns.
        narrow: Left unchanged.
    """
    state = wide.state_dict()
    for name, value in narrow.state_dict().items():
        target = state[name]
        target[tuple(slice(size) for size in value.shape)] = value
        if value.ndim == 4:  # outputs, inputs: a depthwise convolution has but one input
            target[: value.shape[0], value.shape[1] :] = 0
