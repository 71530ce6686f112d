"""Calcifications: analytic grains whose path length is kept at the detector's resolution."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from mgray.phantom.fields import stream
from mgray.phantom.geometry import Shape
from mgray.phantom.placement import Patch, Spot, slab_at
from mgray.phantom.tissue import CALCIUM, GLAND

OVERSAMPLE = 3


@dataclass(frozen=True)
class Grain:
    """One grain: centre and size in mm; its line integral on FFDM pixels from ``row, column``."""

    x: float
    y: float
    diameter_mm: float
    slab: int
    row: int
    column: int
    integral: Float32[np.ndarray, "height width"]

    def coarse(self) -> Patch:
        """The same on the tissue grid."""
        half = self.integral.shape[0] // 2
        mean = self.integral.reshape(half, 2, half, 2).mean((1, 3))
        return Patch(self.slab, self.row // 2, self.column // 2, mean[None])


def calcification_grains(
    key: tuple[int, ...], spot: Spot, shape: Shape, malignant: bool, contrast: float
) -> list[Grain]:
    """A cluster around a spot: many small pleomorphic grains, or a few large round ones."""
    rng = stream(key, "grains")
    count = int(rng.integers(8, 30) if malignant else rng.integers(3, 12))
    spread = 0.45 * (rng.uniform(4, 10) if malignant else rng.uniform(8, 25))
    turn = rng.uniform(0, np.pi)
    long = rng.uniform(1.6, 3.2) if malignant else 1.2
    grains = []
    for _ in range(count):
        u, v, w = rng.normal(size=3) * spread
        u, v = u * long**0.5, v / long**0.5
        own = Spot(
            float(spot.x + u * np.cos(turn) - v * np.sin(turn)),
            float(spot.y + u * np.sin(turn) + v * np.cos(turn)),
            float(spot.z + w * 0.6),
        )
        seed = int(rng.integers(1 << 30))
        if _covered(own, shape):
            grains.append(_grain((*key, seed), own, shape, malignant, contrast))
    return grains


def _covered(spot: Spot, shape: Shape) -> bool:
    """The grain lies at least 4 mm under the skin and 4 grid steps within the image."""
    row, column = int(spot.y / shape.grid_mm), int(spot.x / shape.grid_mm)
    height, width = shape.inside.shape
    if not (3 < row < height - 4 and 3 < column < width - 4):
        return False
    return bool(shape.distance_mm[row, column] >= 4)


def _grain(
    key: tuple[int, ...], spot: Spot, shape: Shape, malignant: bool, contrast: float
) -> Grain:
    rng = stream(key, "grain")
    low, high = (0.15, 0.55) if malignant else (0.35, 1.1)
    diameter = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    aspect = rng.uniform(1.0, 2.6) if malignant else rng.uniform(1.0, 1.15)
    packing = rng.uniform(0.65, 1.0) if malignant else rng.uniform(0.8, 1.1)
    axes = (diameter * aspect**0.5, diameter / aspect**0.5)
    step = shape.grid_mm
    reach = int(np.ceil((axes[0] * 0.75 + 0.15) / step)) + 1
    row, column = int(spot.y / step) - reach, int(spot.x / step) - reach
    size = 2 * (2 * reach + 1)
    fine = (np.arange(size * OVERSAMPLE) + 0.5) / OVERSAMPLE * shape.frame.pixel_mm
    x, y = fine[None] + column * step - spot.x, fine[:, None] + row * step - spot.y
    path = _path_length(rng, (x, y), axes, diameter, malignant)
    path = path.reshape(size, OVERSAMPLE, size, OVERSAMPLE).mean((1, 3))
    over_tissue = (CALCIUM * packing - GLAND * 0.8) * contrast
    return Grain(
        spot.x, spot.y, diameter, slab_at(spot.z, shape), 2 * row, 2 * column,
        (path * over_tissue).astype(np.float32),
    )  # fmt: skip


def _path_length(
    rng: np.random.Generator,
    at: tuple[np.ndarray, np.ndarray],
    axes: tuple[float, float],
    diameter: float,
    malignant: bool,
) -> np.ndarray:
    """Through an ellipsoid; malignant ones are angular, half of the large benign ones hollow."""
    (x, y), turn = at, rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    r2 = (2 * u / axes[0]) ** 2 + (2 * v / axes[1]) ** 2
    if malignant:
        r2 = r2 * (1 + 0.45 * np.sin(3 * np.arctan2(v, u) + turn * 4))
    path = diameter * np.sqrt(np.clip(1 - r2, 0, 1))
    if not malignant and diameter > 0.7 and rng.random() < 0.5:
        path = path - 0.75 * diameter * np.sqrt(np.clip(0.45 - r2, 0, 1))
    return np.asarray(path)
