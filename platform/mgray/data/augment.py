"""Augmentation of training pairs: one geometric draw for both images, grey jitter for each.

A draw depends on (seed, epoch, position) only, not on rank, worker or which kinds are read.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from mgray.data.config import AugmentConfig
from mgray.data.sampler import generator

__all__ = ["AugmentConfig", "Augmentation", "draw"]

_STREAM_OF_KIND: Final = {"geometry": 1, "sm": 2, "ffdm": 3}


@dataclass(frozen=True)
class Augmentation:
    """The draw for one position of one epoch."""

    flip_horizontal: bool
    flip_vertical: bool
    shift: tuple[float, float]
    """Shares of width and height."""
    scale: float
    rotation: float
    """Degrees, clockwise."""
    grey: dict[str, tuple[float, float]]
    """Gain and bias of each kind."""

    def image(
        self, image: Float[Tensor, "3 height width"], kind: str
    ) -> Float[Tensor, "3 height width"]:
        """Move and change a standardised grey image; what comes in from outside is black."""
        grey = image[:1]
        black = float(grey.min())
        moved = self._move(grey, (grey.shape[-2], grey.shape[-1]), fill=[black])
        gain, bias = self.grey[kind]
        return (moved * gain + bias).expand(3, -1, -1)

    def boxes(self, boxes: Float[Tensor, "box 4"], size: tuple[int, int]) -> Float[Tensor, "box 4"]:
        """Move boxes as ``image`` moves pixels; a rotated box grows to its upright hull.

        Args:
            boxes: ``xyxy``, net frame.
            size: Height and width of the net frame.

        Returns:
            ``xyxy``, net frame, not clipped.
        """
        if not len(boxes):
            return boxes
        wrapped = tv_tensors.BoundingBoxes(
            boxes,
            format=tv_tensors.BoundingBoxFormat.XYXY,
            canvas_size=size,
            clamping_mode=None,
        )
        return self._move(wrapped, size, fill=None).as_subclass(Tensor)

    def _move(self, what: Tensor, size: tuple[int, int], fill: list[float] | None) -> Tensor:
        if self.flip_horizontal:
            what = tv.horizontal_flip(what)
        if self.flip_vertical:
            what = tv.vertical_flip(what)
        moved: Tensor = tv.affine(
            what,
            angle=self.rotation,
            translate=[self.shift[0] * size[1], self.shift[1] * size[0]],
            scale=self.scale,
            shear=[0.0, 0.0],
            interpolation=InterpolationMode.BILINEAR,
            fill=fill,
        )
        return moved


def draw(config: AugmentConfig, *, seed: int, epoch: int, position: int) -> Augmentation:
    """Draw the augmentation of one position; equal arguments give equal draws.

    Args:
        config: Limits of the draw.
        seed: Of the run.
        epoch: From 0.
        position: In the epoch's global sequence.
    """
    random = _generator(seed, epoch, position, "geometry")
    flips = random.random(2) < (config.flip_horizontal, config.flip_vertical)
    shift, scale, rotation = random.uniform(-1, 1, 2), random.uniform(-1, 1), random.uniform(-1, 1)
    return Augmentation(
        flip_horizontal=bool(flips[0]),
        flip_vertical=bool(flips[1]),
        shift=(float(shift[0]) * config.shift, float(shift[1]) * config.shift),
        scale=1 + scale * config.scale,
        rotation=rotation * config.rotation,
        grey={
            kind: _draw_grey(config, _generator(seed, epoch, position, kind))
            for kind in ("sm", "ffdm")
        },
    )


def _draw_grey(config: AugmentConfig, random: np.random.Generator) -> tuple[float, float]:
    gain, bias = random.uniform(-1, 1, 2)
    return 1 + float(gain) * config.gain, float(bias) * config.bias


def _generator(seed: int, epoch: int, position: int, name: str) -> np.random.Generator:
    return generator(seed, epoch, position, stream=_STREAM_OF_KIND[name])
