"""DBT: low-dose projections over an arc, shifted and added into slices.

No grid (scatter compresses the log signal), blur by focal spot and tube travel, slices as
differences from their mean.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from mgray.phantom.fields import Image
from mgray.phantom.geometry import Shape
from mgray.phantom.projection import KERMA_UGY, QUANTA, median_transmission
from mgray.phantom.tissue import Volume

PROJECTIONS = 11
HALF_ARC_DEG = 20.0
DOSE = 1.2
"""of all projections, over an FFDM's"""
EFFICIENCY = 0.5
SCATTER = 0.45
BLUR_MM = (0.14, 0.20)
"""across and along the tube's travel"""
CENTRAL = {0: 0.5, 1: 0.25}
"""weights of the projections around the middle one in the base of the SM"""


@dataclass(frozen=True)
class Tomosynthesis:
    """``slices`` are in-plane detail (mean over slices is 0); ``central`` a low-dose projection."""

    slices: Float32[np.ndarray, "slab height width"]
    central: Image


def acquire(slabs: Volume, fat: Image, shape: Shape, rng: np.random.Generator) -> Tomosynthesis:
    """Project the slabs at every angle, and back.

    Args:
        slabs: Attenuation over fat times path, per slab.
        fat: Line integral of the fat-filled breast.
        shape: The view.
        rng: Quantum noise.
    """
    step = shape.grid_mm
    noise_sd = _noise_sd(slabs.sum(0) + fat, shape)
    slices, central = np.zeros_like(slabs), np.zeros_like(fat)
    for p, angle in enumerate(np.linspace(-HALF_ARC_DEG, HALF_ARC_DEG, PROJECTIONS)):
        shifts = shape.slab_z_mm * np.tan(np.deg2rad(angle)) / step
        view = np.zeros_like(fat)
        for slab, shift in zip(slabs, shifts, strict=True):
            _add_shifted(view, slab, float(shift))
        view *= np.float32(1 / (1 + SCATTER))
        view += rng.standard_normal(view.shape, dtype=np.float32) * noise_sd
        view = cv2.GaussianBlur(
            view, (0, 0), sigmaX=BLUR_MM[0] / step, sigmaY=BLUR_MM[1] / step,
            borderType=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        weight = CENTRAL.get(abs(p - PROJECTIONS // 2), 0.0)
        if weight:
            central += np.float32(weight) * view
        for slice_, shift in zip(slices, shifts, strict=True):
            _add_shifted(slice_, view, -float(shift))
    slices *= np.float32(1 / PROJECTIONS)
    slices -= slices.mean(0)
    return Tomosynthesis(slices, central)


def _noise_sd(line: Image, shape: Shape) -> Image:
    """Of the log signal in one projection."""
    reference = median_transmission(cv2.exp(-line), shape)
    dose = KERMA_UGY * DOSE / PROJECTIONS * QUANTA * shape.grid_mm**2 * EFFICIENCY
    return np.asarray(
        cv2.exp(0.5 * line) * np.float32(np.sqrt(reference / dose / (1 + SCATTER))), np.float32
    )


def _add_shifted(target: Image, source: Image, shift: float) -> None:
    """Add ``source`` moved along y by a fraction of pixels; zero comes in from outside."""
    height = target.shape[0]
    whole = int(np.floor(shift))
    part = shift - whole
    for offset, weight in ((whole, 1 - part), (whole + 1, part)):
        if weight < 1e-3 or abs(offset) >= height:
            continue
        if offset >= 0:
            to, values = target[offset:], source[: height - offset]
        else:
            to, values = target[:offset], source[-offset:]
        cv2.scaleAdd(values, weight, to, to)
