"""Anchors: nine per cell of each pyramid level.

References:
    arXiv:1708.02002 §4; google/automl ``anchors.py``.
"""

from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mgray.models.config import MIN_LEVEL

OCTAVES: Final = 3
ASPECTS: Final = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))  # width, height
ANCHORS_PER_CELL: Final = OCTAVES * len(ASPECTS)


@lru_cache(maxsize=16)
def build_anchors(
    height: int, width: int, scale: float = 4.0, max_level: int = 7
) -> Float[Tensor, "anchor 4"]:
    """List all anchors of one input size.

    Args:
        height: Of the network input, pixels, divisible by ``2**max_level``.
        width: Likewise.
        scale: Side of a level's smallest square anchor, in strides.
        max_level: The coarsest level.

    Returns:
        ``xyxy``, pixels of the network input, float32, not clipped: by level from fine to coarse,
        then row, column, octave and aspect. The tensor is shared: leave it unchanged.
    """
    shapes = torch.tensor(
        [
            (w * 2 ** (k / OCTAVES), h * 2 ** (k / OCTAVES))
            for k in range(OCTAVES)
            for w, h in ASPECTS
        ],
        dtype=torch.float64,
    )
    boxes = []
    for level in range(MIN_LEVEL, max_level + 1):
        stride = 2**level
        half = shapes * (scale * stride / 2)
        y = (torch.arange(height // stride, dtype=torch.float64) + 0.5) * stride
        x = (torch.arange(width // stride, dtype=torch.float64) + 0.5) * stride
        centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 1, 2)
        boxes.append(torch.cat([centres - half, centres + half], dim=-1).reshape(-1, 4))
    return torch.cat(boxes).float()
