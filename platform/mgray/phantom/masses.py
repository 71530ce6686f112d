"""Masses: they replace the tissue of a few slabs (Gaussian random star, spicules, pull).

The star follows de Sisternes 2015; cancer attenuates 5-15 % more than gland (Carroll 1994).
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, Float32

from mgray.phantom.config import LesionType
from mgray.phantom.fields import Image, blur
from mgray.phantom.geometry import Shape
from mgray.phantom.placement import Patch, Spot, window
from mgray.phantom.tissue import FAT, GLAND, Tissue, Volume

Box = tuple[float, float, float, float]
Axes = tuple[Float32[np.ndarray, "1 width"], Float32[np.ndarray, "height 1"]]
"""x and y from the centre of the mass, in mm"""


@dataclass(frozen=True)
class _Look:
    """How one type differs: extent, roughness, lobes, margin blur, attenuation over gland."""

    extent: float
    rough: float
    lobes: int
    margin_mm: float
    over_gland: tuple[float, float]


LOOKS: Final[dict[LesionType, _Look]] = {
    "spiculated_mass": _Look(3.0, 0.16, 10, 0.55, (1.05, 1.15)),
    "irregular_mass": _Look(1.7, 0.13, 10, 0.35, (1.05, 1.15)),
    "oval_mass": _Look(1.7, 0.035, 3, 0.15, (1.0, 1.06)),
}
SPICULE_LEVELS: Final = (-0.35, 0.0, 0.35)
"""heights of the spicules, in radii"""


def mass_change(
    rng: np.random.Generator,
    kind: LesionType,
    where: tuple[Spot, float],
    shape: Shape,
    tissue: Tissue,
) -> tuple[Box, Patch]:
    """The box (mm) of a mass's core and the change it makes; ``where`` is its spot and radius."""
    (spot, radius), look = where, LOOKS[kind]
    rows, columns = window(spot, radius * look.extent, shape)
    x, y = shape.x[:, columns] - np.float32(spot.x), shape.y[rows] - np.float32(spot.y)
    half = _half_height(rng, kind, radius, (x, y))
    before = tissue.gland[:, rows, columns]
    after = before.copy()
    share = _share(half, spot, shape)
    if kind == "spiculated_mass":
        _pull(rng, after, (spot, radius), (x, y), shape)
        _raise_to_spicules(share, rng, (spot, radius), (x, y), shape)
    value = np.float32((GLAND * rng.uniform(*look.over_gland) - FAT) / (GLAND - FAT))
    for k in range(len(after)):
        if share[k].any():
            part = blur(share[k], look.margin_mm / shape.grid_mm)
            after[k] += part * (value - after[k])
    change = (after - before) * np.float32((GLAND - FAT) * shape.slab_mm)
    change *= shape.filling[:, rows, columns] * (1 - shape.pectoral[rows, columns])
    return _core_box(half, rows, columns, shape), Patch(0, rows.start, columns.start, change)


def star(
    rng: np.random.Generator, angle: Image, rough: float, lobes: int
) -> Float32[np.ndarray, "height width"]:
    """Relative radius over the angle."""
    radius = np.ones_like(angle)
    for m in range(2, lobes + 2):
        radius += rough / m**0.8 * rng.normal() * np.cos(m * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(radius.clip(0.45, 1.8), np.float32)


def _half_height(rng: np.random.Generator, kind: LesionType, radius: float, axes: Axes) -> Image:
    """Half the core's extent along z, in mm; 0 outside the core."""
    (x, y), look = axes, LOOKS[kind]
    outline = star(rng, np.arctan2(y, x).astype(np.float32), look.rough, look.lobes)
    if kind == "oval_mass":
        turn, flat = rng.uniform(0, np.pi), rng.uniform(0.62, 0.9)
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        r = np.hypot(u, v / flat) / outline
    else:
        flat = rng.uniform(0.75, 1.05)
        r = np.hypot(x, y) / outline / (0.82 if kind == "spiculated_mass" else 1.0)
    return np.asarray(radius * flat * np.sqrt(np.clip(1 - (r / radius) ** 2.6, 0, 1)), np.float32)


def _share(half: Image, spot: Spot, shape: Shape) -> Volume:
    """The mass's share of every slab's thickness."""
    low = shape.slab_z_mm[:, None, None] - shape.slab_mm / 2 - spot.z
    cover = np.minimum(low + shape.slab_mm, half) - np.maximum(low, -half)
    return np.asarray(np.clip(cover, 0, shape.slab_mm) / shape.slab_mm, np.float32)


def _pull(
    rng: np.random.Generator,
    gland: Volume,
    where: tuple[Spot, float],
    axes: Axes,
    shape: Shape,
) -> None:
    """Architectural distortion: tissue is drawn towards the mass."""
    (spot, radius), (x, y) = where, axes
    strength = rng.uniform(0.25, 0.55)
    scale = 1 + strength * np.exp(-((x * x + y * y) / (1.5 * radius) ** 2))
    cy, cx = -y[0, 0] / shape.grid_mm, -x[0, 0] / shape.grid_mm
    map_x = (cx + x * scale / shape.grid_mm).astype(np.float32)
    map_y = (cy + y * scale / shape.grid_mm).astype(np.float32)
    for k in np.flatnonzero(np.abs(shape.slab_z_mm - spot.z) < 1.2 * radius):
        gland[k] = cv2.remap(
            np.ascontiguousarray(gland[k]), map_x, map_y, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip


def _raise_to_spicules(
    share: Volume,
    rng: np.random.Generator,
    where: tuple[Spot, float],
    axes: Axes,
    shape: Shape,
) -> None:
    (spot, radius), (x, y) = where, axes
    centre = np.array([-x[0, 0], -y[0, 0]]) / shape.grid_mm
    levels = np.zeros((len(SPICULE_LEVELS), *share.shape[1:]), np.float32)
    for _ in range(int(rng.integers(24, 46))):
        level = levels[int(rng.integers(len(SPICULE_LEVELS)))]
        _draw_spicule(rng, level, centre, radius, shape.grid_mm)
    for level, height in zip(levels, SPICULE_LEVELS, strict=True):
        offset = shape.slab_z_mm - shape.slab_mm / 2 - spot.z
        for k in np.flatnonzero(
            (offset <= height * radius) & (height * radius < offset + shape.slab_mm)
        ):
            share[k] = np.maximum(share[k], np.clip(blur(level, 0.18 / shape.grid_mm), 0, 0.9))


def _draw_spicule(
    rng: np.random.Generator,
    canvas: Image,
    centre: Float[np.ndarray, "2"],
    radius: float,
    step: float,
) -> None:
    """A tapered, slightly bent line outwards."""
    angle, bend, root = rng.uniform(0, 2 * np.pi), rng.normal() * 0.22, rng.uniform(0.7, 2.0)
    length = radius * min(2.9, rng.gamma(6.0, 0.24) + 0.45) / step
    along = np.linspace(0.55, 1, 7)
    angles = angle + bend * (along - 0.55)
    way = np.stack([np.cos(angles), np.sin(angles)], 1) * along[:, None] * length
    points = [tuple(int(v * 16) for v in point) for point in centre + way]
    for i in range(6):
        width = (1 - along[i]) / 0.45 * root + 0.35  # mm
        grey = float(min(1.0, 0.35 + 0.4 * width))
        thick = max(1, round(width / step))
        cv2.line(canvas, points[i], points[i + 1], grey, thick, cv2.LINE_AA, 4)


def _core_box(half: Image, rows: slice, columns: slice, shape: Shape) -> Box:
    ys, xs = np.nonzero(half > 0)
    step = shape.grid_mm
    return (
        float(columns.start + xs.min()) * step,
        float(rows.start + ys.min()) * step,
        float(columns.start + xs.max() + 1) * step,
        float(rows.start + ys.max() + 1) * step,
    )
