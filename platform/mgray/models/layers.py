"""The few layers neck and heads are made of."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgray.models.config import Architecture


def batch_norm(channels: int, momentum: float) -> nn.BatchNorm2d:
    """Batch norm with EfficientDet's epsilon."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum)


def activation(architecture: Architecture) -> nn.Module:
    """ReLU6 for the lite family, swish for the others."""
    return nn.ReLU6() if architecture.lite else nn.SiLU()


class SeparableConv(nn.Module):
    """Depthwise 3x3, then pointwise; keeps height and width."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=bias)

    def forward(
        self, features: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Convolve."""
        out: Tensor = self.pointwise(self.depthwise(features))
        return out


class WideSeparableConv(nn.Module):
    """A separable convolution of two concatenated maps, written as the sum over its halves.

    The same function as one of 2C inputs, but bit by bit that of ``first`` while ``second`` gives
    zeros, which no single matrix product promises.
    """

    def __init__(self, first: SeparableConv, second: SeparableConv) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(
        self, features: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Convolve both halves of the channels and add."""
        first, second = features.chunk(2, dim=1)
        out: Tensor = self.first(first) + self.second(second)
        return out


def freeze(module: nn.Module) -> None:
    """Stop a module from learning: no gradients, and batch norms stand still (P1-A22)."""
    module.requires_grad_(requires_grad=False)
    module.eval()


@torch.no_grad()
def init_scaled(conv: SeparableConv) -> None:
    """Normal weights of variance one over the inputs of each output, as heads start."""
    for layer in (conv.depthwise, conv.pointwise):
        nn.init.normal_(layer.weight, std=math.sqrt(1.0 / layer.weight[0].numel()))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def init_glorot(module: nn.Module) -> None:
    """Glorot-uniform convolutions with zero biases, as the neck starts."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            kernel = layer.weight[0, 0].numel()
            mean = kernel * (layer.weight.shape[1] + layer.out_channels // layer.groups) / 2
            limit = math.sqrt(3.0 / max(1.0, mean))
            nn.init.uniform_(layer.weight, -limit, limit)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
