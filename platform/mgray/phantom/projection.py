"""FFDM: one exposure through all slabs, with scatter, quantum noise and detector blur."""

import cv2
import numpy as np

from mgray.phantom.calcifications import Grain
from mgray.phantom.display import boost, grey_levels, inner_tissue, soft_mask
from mgray.phantom.fields import Image, Resampled, blur, resize
from mgray.phantom.geometry import Shape
from mgray.phantom.tissue import FAT

QUANTA = 5500.0
"""x-ray quanta per mm2 and uGy for W/Rh 28 kV, order of IEC 62220-1-2"""
KERMA_UGY = 90.0
EFFICIENCY = 0.6
SCATTER = 0.12
SCATTER_MM = 12.0
DETECTOR_BLUR_MM = 0.045


def ffdm_grey(
    line: Image, grains: list[Grain], shape: Shape, rng: np.random.Generator
) -> Resampled:
    """Expose and develop an FFDM.

    Args:
        line: Line integral of attenuation on the tissue grid, without grains.
        grains: Calcifications that show, at the detector's resolution.
        shape: The view.
        rng: Quantum noise.

    Returns:
        Grey level 0-1 at FFDM pixels, left frame, as wide as the tissue grid; background 0.
    """
    size = (2 * line.shape[0], 2 * line.shape[1])
    fine = resize(line, size, cubic=True)
    for grain in grains:
        _add(fine, grain)
    signal = _expose(fine, shape, rng)
    thickness = resize(shape.height_mm, size)
    signal -= np.float32(0.95 * FAT) * thickness  # peripheral equalisation
    signal = boost(signal, shape.frame.pixel_mm, 0.55, 0.35)
    inner = cv2.resize(inner_tissue(shape).astype(np.uint8), size[::-1], interpolation=0)
    return np.asarray(grey_levels(signal, inner.astype(bool)) * soft_mask(shape, size))


def median_transmission(primary: Image, shape: Shape) -> float:
    """What automatic exposure control looks at."""
    return float(np.median(primary[::4, ::4][shape.inside[::4, ::4]]))


def _expose(line: Image, shape: Shape, rng: np.random.Generator) -> Image:
    """Log signal behind the breast."""
    height, width = line.shape
    pixel = shape.frame.pixel_mm
    intensity = cv2.exp(-line)
    reference = median_transmission(intensity[::2, ::2], shape)
    quanta = KERMA_UGY * QUANTA * pixel**2 * EFFICIENCY / reference
    small = resize(intensity, (height // 8, width // 8))
    scatter = resize(blur(small, SCATTER_MM / (8 * pixel)), (height, width))
    intensity = intensity + np.float32(SCATTER) * scatter
    noise = rng.standard_normal((height, width), dtype=np.float32)
    intensity += noise * np.sqrt(intensity) * np.float32(quanta**-0.5)
    intensity = blur(np.maximum(intensity, np.float32(1e-6)), DETECTOR_BLUR_MM / pixel)
    return np.asarray(np.float32(np.log1p(SCATTER)) - cv2.log(intensity), np.float32)


def _add(image: Image, grain: Grain) -> None:
    height, width = grain.integral.shape
    top, left = max(grain.row, 0), max(grain.column, 0)
    bottom = min(grain.row + height, image.shape[0])
    right = min(grain.column + width, image.shape[1])
    image[top:bottom, left:right] += grain.integral[
        top - grain.row : bottom - grain.row, left - grain.column : right - grain.column
    ]
