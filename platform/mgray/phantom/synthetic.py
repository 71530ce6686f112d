"""SM: central projections plus what stands out in the slices, as C-View is described.

A slice-weighted maximum keeps in-plane detail of two bands; calcification-like spots of the finest
band are lifted, true and false ones alike (arXiv and phantom studies: docs of the anchors).
"""

import cv2
import numpy as np

from mgray.phantom.display import boost, grey_levels, inner_tissue, soft_mask
from mgray.phantom.fields import Image, blur, resize
from mgray.phantom.geometry import Shape
from mgray.phantom.tomosynthesis import Tomosynthesis

FINE_MM = 1.6
COARSE_MM = 7.0
SPOT_MM = 0.45
SHARPNESS = 40.0
"""of the weighting over slices; large is a maximum"""
FINE_GAIN = 4.2
COARSE_GAIN = 3.0
SPOT_GAIN = 1.6
SPOT_SD = 2.0
"""noise sd above which a spot counts as a calcification"""
MOTTLE_GAIN = 0.8


def sm_grey(tomo: Tomosynthesis, shape: Shape, size: tuple[int, int]) -> Image:
    """Make the synthetic mammogram.

    Args:
        tomo: Slices and central projection on the tissue grid.
        shape: The view.
        size: Height and width of the SM's whole image.

    Returns:
        Grey level 0-1, left frame; background 0.
    """
    step = shape.grid_mm
    fine, coarse, spots = _bands(tomo, step)
    noise = 1.3 * float(np.median(np.abs(spots[::3, ::3][shape.distance_mm[::3, ::3] > 5]))) + 1e-6
    lifted = np.where(spots > SPOT_SD * noise, spots - 0.6 * SPOT_SD * noise, 0)
    signal = boost(tomo.central, step, 1.2, 0.35)
    signal += FINE_GAIN * fine + COARSE_GAIN * coarse + SPOT_GAIN * lifted
    signal += MOTTLE_GAIN * (spots - 1.5 * noise)
    grey = grey_levels(np.asarray(signal, np.float32), inner_tissue(shape))
    canvas = np.zeros((grey.shape[0], shape.frame.width // 2), np.float32)
    mask = canvas.copy()
    canvas[:, : grey.shape[1]] = grey
    canvas[:, grey.shape[1] :] = grey[:, -1:]
    mask[:, : grey.shape[1]] = soft_mask(shape, (grey.shape[0], grey.shape[1]))
    grey = np.clip(resize(canvas, size, cubic=True), 0, 1)
    return np.asarray(grey * np.clip(resize(mask, size), 0, 1), np.float32)


def _bands(tomo: Tomosynthesis, step: float) -> tuple[Image, Image, Image]:
    """Slice-weighted fine and coarse detail, and the maximum over slices of the finest band."""
    fine, coarse, spots = _SoftMaximum(6 * SHARPNESS), _SoftMaximum(2.5 * SHARPNESS), None
    for slice_ in tomo.slices:
        smooth = blur(slice_, FINE_MM / step)
        fine.add(slice_ - smooth)
        coarse.add(smooth - blur(smooth, COARSE_MM / step))
        finest = slice_ - blur(slice_, SPOT_MM / step)
        spots = finest if spots is None else np.maximum(spots, finest)
    assert spots is not None
    return fine.value(), coarse.value(), spots


class _SoftMaximum:
    """Mean over slices, weighted by ``exp(sharpness * value)``."""

    def __init__(self, sharpness: float) -> None:
        self.sharpness = sharpness
        self._sum: Image | float = 0.0
        self._weight: Image | float = 0.0

    def add(self, values: Image) -> None:
        weight = cv2.exp(np.clip(values * np.float32(self.sharpness), -5, 7))
        self._sum = self._sum + weight * values
        self._weight = self._weight + weight

    def value(self) -> Image:
        return np.asarray(self._sum / self._weight, np.float32)
