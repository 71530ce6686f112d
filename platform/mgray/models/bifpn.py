"""The neck: backbone maps at strides 8, 16, 32 in, one map of equal width per pyramid level out.

References:
    arXiv:1911.09070 §3.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mgray.models.config import Architecture
from mgray.models.layers import SeparableConv, activation, batch_norm, init_glorot

Map = Float[Tensor, "_batch _channel _height _width"]


def node_inputs(levels: int) -> list[tuple[int, list[int]]]:
    """List a cell's nodes in the order they are computed: level and the maps they join.

    Level 0 is the finest. Maps are numbered: the cell's inputs first, from fine to coarse, then
    each node's output.
    """
    newest = {level: [level] for level in range(levels)}
    nodes: list[tuple[int, list[int]]] = []

    def add(level: int, sources: list[int]) -> None:
        nodes.append((level, sources))
        newest[level].append(levels + len(nodes) - 1)

    for level in range(levels - 2, -1, -1):  # top-down
        add(level, [newest[level][-1], newest[level + 1][-1]])
    for level in range(1, levels):  # bottom-up, with a shortcut from the input
        add(level, [*newest[level], newest[level - 1][-1]])
    return nodes


class Projection(nn.Module):
    """1x1 convolution and batch norm: another width."""

    def __init__(self, inputs: int, architecture: Architecture, momentum: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, architecture.channels, 1, bias=architecture.redundant_bias)
        self.bn = batch_norm(architecture.channels, momentum)

    def forward(self, features: Map) -> Map:
        """Project."""
        out: Tensor = self.bn(self.conv(features))
        return out


class Node(nn.Module):
    """Join maps of several levels at one level, then convolve."""

    def __init__(
        self, level: int, widths: dict[int, int], architecture: Architecture, momentum: float
    ) -> None:
        super().__init__()
        self.level, self.sources = level, list(widths)
        self.same_padding = architecture.same_padding
        self.laterals = nn.ModuleDict(
            {
                str(source): Projection(width, architecture, momentum)
                for source, width in widths.items()
                if width != architecture.channels
            }
        )
        self.edge_weights = nn.Parameter(torch.ones(len(widths))) if architecture.weighted else None
        self.act = activation(architecture)
        channels = architecture.channels
        self.conv = SeparableConv(channels, channels, bias=architecture.redundant_bias)
        self.bn = batch_norm(channels, momentum)

    def forward(self, maps: Sequence[Map]) -> Map:
        """Compute the node from all maps known so far."""
        joined = self._join([self._bring(source, maps) for source in self.sources])
        out: Tensor = self.bn(self.conv(self.act(joined)))
        return out

    def _bring(self, source: int, maps: Sequence[Map]) -> Map:
        height, width = maps[self.level].shape[-2:]
        features = maps[source]
        if str(source) in self.laterals:
            features = self.laterals[str(source)](features)
        if features.shape[-2] > height:
            return halve(features, same_padding=self.same_padding)
        if features.shape[-2] < height:
            return functional.interpolate(features, size=(height, width), mode="nearest")
        return features

    def _join(self, maps: list[Map]) -> Map:
        if self.edge_weights is None:
            return torch.stack(maps).sum(dim=0)
        weights = functional.relu(self.edge_weights.to(maps[0].dtype))
        weights = weights / (weights.sum() + 1e-4)
        joined = maps[0] * weights[0]
        for i in range(1, len(maps)):
            joined = joined + maps[i] * weights[i]
        return joined


class Cell(nn.Module):
    """One top-down and one bottom-up pass."""

    def __init__(self, widths: list[int], architecture: Architecture, momentum: float) -> None:
        super().__init__()
        levels = architecture.levels
        nodes = node_inputs(levels)
        known = widths + [architecture.channels] * len(nodes)
        self.levels = levels
        self.nodes = nn.ModuleList(
            Node(level, {source: known[source] for source in sources}, architecture, momentum)
            for level, sources in nodes
        )

    def forward(self, features: Sequence[Map]) -> list[Map]:
        """Pass over the pyramid, fine to coarse in and out."""
        maps = list(features)
        for node in self.nodes:
            maps.append(node(maps))
        return maps[-self.levels :]


class BiFpn(nn.Module):
    """Coarser levels below the backbone's, then the cells."""

    def __init__(
        self, backbone_widths: Sequence[int], architecture: Architecture, momentum: float
    ) -> None:
        super().__init__()
        self.same_padding = architecture.same_padding
        self.extra = architecture.levels - len(backbone_widths)
        self.coarser = Projection(backbone_widths[-1], architecture, momentum)
        channels = architecture.channels
        widths = [*backbone_widths, *[channels] * self.extra]
        self.cells = nn.ModuleList(
            Cell(widths if i == 0 else [channels] * len(widths), architecture, momentum)
            for i in range(architecture.cells)
        )
        init_glorot(self)

    def forward(self, features: Sequence[Map]) -> list[Map]:
        """Turn the backbone's maps, fine to coarse, into the pyramid."""
        maps = list(features)
        coarsest = self.coarser(maps[-1])
        for _ in range(self.extra):
            coarsest = halve(coarsest, same_padding=self.same_padding)
            maps.append(coarsest)
        for cell in self.cells:
            maps = cell(maps)
        return maps


def halve(features: Map, *, same_padding: bool) -> Map:
    """Max-pool an even size 3x3 with stride 2, padded as TensorFlow does or on both sides."""
    if not same_padding:
        return functional.max_pool2d(features, 3, stride=2, padding=1)
    return functional.max_pool2d(
        functional.pad(features, (0, 1, 0, 1), value=float("-inf")), 3, stride=2
    )
