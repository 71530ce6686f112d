"""Healthy tissue of one view: gland, fat, ligaments, vessels, muscle, skin as attenuation per slab.

Parenchyma is a power-law field that runs through the slabs, warped so that structures converge on
the nipple; a threshold is solved so that the volumetric gland fraction, ligaments included, meets
the breast's target. Attenuation follows the FDA's VICTRE tables (PENELOPE 2006) for W/Rh 28 kVp
behind 35-60 mm of breast.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float32, Int16, UInt16
from scipy import fft

from mgray.phantom.fields import (
    Image,
    Lattice,
    Resampled,
    band,
    blur,
    correlated_slices,
    power_law,
    resize,
    smooth_step,
    soft_step,
    stream,
    white_noise,
)
from mgray.phantom.geometry import COMPOSITIONS, Breast, Shape

# linear attenuation in 1/mm
FAT: Final = 0.0475
GLAND: Final = 0.0703
SKIN: Final = 0.0768
MUSCLE: Final = 0.0786
BLOOD: Final = 0.0770
CALCIUM: Final = 0.730
SKIN_MM: Final = 1.5

Volume = Float32[np.ndarray, "slab height width"]


@dataclass(frozen=True)
class Tissue:
    """Attenuation without findings.

    ``gland`` is the gland fraction per voxel; ``excess`` the attenuation over fat times the path
    through the slab; ``fat`` the line integral of the same breast filled with fat.
    """

    gland: Volume
    excess: Volume
    fat: Image


@dataclass(frozen=True)
class _Texture:
    """The random fields of one view, already warped; ``septa`` and ``strands`` are 0 to 1."""

    parenchyma: Volume
    fine: Volume
    septa: Volume
    strands: Volume


def build_tissue(breast: Breast, shape: Shape) -> Tissue:
    """Fill a shape with healthy tissue."""
    texture = _texture(breast, shape)
    gland = _gland(breast, shape, texture)
    path = shape.filling * np.float32(shape.slab_mm)
    excess = gland * np.float32(GLAND - FAT)
    if shape.view == "MLO":
        muscle = MUSCLE * (1 - 0.05 * shape.fibre) - FAT
        excess *= 1 - shape.pectoral
        excess += shape.pectoral * muscle
    excess *= path
    _add_vessels(excess, breast, shape)
    _add_skin(excess, shape)
    return Tissue(gland, excess, path.sum(0) * np.float32(FAT))


def _texture(breast: Breast, shape: Shape) -> _Texture:
    slabs, height, width = shape.filling.shape
    lattice = Lattice(
        slabs,
        fft.next_fast_len(height // 2 + 8, True),
        fft.next_fast_len(width // 2 + 8, True),
        2 * shape.grid_mm,
        shape.slab_mm,
    )
    own = stream(breast.key, "tissue", shape.view, shape.laterality)
    both = white_noise(stream(breast.key, "tissue", shape.view), lattice)
    noise = np.float32(0.75) * both + np.float32(np.sqrt(1 - 0.75**2)) * white_noise(own, lattice)
    rows, columns = _warp(shape, own)

    def warped(field: Image) -> Resampled:
        return np.asarray(
            cv2.remap(field, rows, columns, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        )

    grain = white_noise(own, lattice)  # serves both webs: their bands hardly overlap

    def web(period_mm: float, stretch: float, coherence: float) -> Volume:
        octaves = band(period_mm, 0.55)
        field = correlated_slices(grain, lattice, octaves, stretch=stretch, coherence=coherence)
        return np.stack([warped(slice_) for slice_ in field])

    parenchyma = correlated_slices(noise, lattice, power_law(1.42, 45.0), stretch=1.55)
    coarse, fine = web(16.0, 2.0, 0.07), web(6.5, 1.8, 0.11)
    return _Texture(
        np.stack([warped(slice_) for slice_ in parenchyma]),
        fine,
        1 / (1 + (coarse / np.float32(0.05)) ** 2),
        1 / (1 + (fine / np.float32(0.11)) ** 2),
    )


def _warp(
    shape: Shape, rng: np.random.Generator
) -> tuple[Int16[np.ndarray, "height width 2"], UInt16[np.ndarray, "height width"]]:
    """A map that lets structures converge on the nipple, with a wobble."""
    step = 2 * shape.grid_mm
    depth = np.clip((shape.depth_mm - shape.x) / shape.depth_mm, 0, 1)
    fan = 0.42 + 0.58 * depth**0.8
    height, width = shape.inside.shape
    lattice = Lattice(1, max(8, height // 4), max(8, width // 4), 2 * step, 50.0)
    wobble = resize(
        correlated_slices(white_noise(rng, lattice), lattice, band(28.0, 0.5))[0], (height, width)
    )
    y = (shape.nipple_y_mm + (shape.y - shape.nipple_y_mm) / fan * 0.9) / step + wobble * 0.7
    x = np.abs(shape.x / step + wobble * 0.9)
    maps = cv2.convertMaps(x.astype(np.float32), y.astype(np.float32), cv2.CV_16SC2)
    return maps[0], maps[1]


def _gland(breast: Breast, shape: Shape, texture: _Texture) -> Volume:
    kind = COMPOSITIONS[breast.density]
    raw = texture.parenchyma * np.float32(0.85)
    raw += _prior(breast, shape) * np.float32(1 - 0.45 * kind.scatter)
    for k, z in enumerate(shape.slab_z_mm):
        below_skin = shape.height_mm / 2 - abs(z)
        raw[k] += 1.1 * smooth_step(below_skin / (0.9 * breast.fat_layer_mm + 3)) - 1.1
    slope = 0.78 + 0.22 * np.clip(texture.fine * 0.5 + 0.5, 0, 1)
    slope += 0.20 * texture.strands - 0.14 * texture.septa
    lobes = np.clip(0.55 + 0.45 * texture.parenchyma, 0.1, 1.3)
    web = lobes * (0.30 * texture.septa + 0.10 * texture.strands)
    inner = (shape.filling > 0.5) & (shape.pectoral < 0.1)
    sample = np.zeros_like(inner)
    step = max(1, round(2.5 / shape.grid_mm))  # about 2.5 mm: enough points at every resolution
    sample[:, ::step, ::step] = True
    sample &= inner
    threshold = _threshold(
        (raw[sample], slope[sample], web[sample]), breast.gland_fraction, kind.softness
    )
    raw -= np.float32(threshold)
    raw *= np.float32(1 / kind.softness)
    return np.asarray(soft_step(raw) * slope + web, np.float32)


def _prior(breast: Breast, shape: Shape) -> Image:
    """Where gland is likely: a cone behind the nipple, under a layer of fat on all sides."""
    depth, half, y0 = shape.depth_mm, shape.half_height_mm, shape.nipple_y_mm
    mlo = np.float32(shape.view == "MLO")
    cone = np.hypot(
        (shape.x - 0.52 * depth) / (0.50 * depth),
        (shape.y - y0 + mlo * 0.06 * half) / (0.66 * half),
    )
    layer = breast.fat_layer_mm
    prior = 1.5 * smooth_step((shape.distance_mm - 0.4 * layer) / (1.3 * layer))
    prior -= 1.15 * np.clip(cone, 0, 1.6) ** 1.5
    prior -= 0.9 * (1 - smooth_step(shape.x / (0.22 * depth)))
    prior -= 0.6 * smooth_step((shape.y - y0) / (0.9 * half)) * mlo
    return np.asarray(prior, np.float32)


def _threshold(
    sample: tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]],
    target: float,
    softness: float,
) -> float:
    """The threshold at which ``step((raw - t) / softness) * slope + web`` has the target's mean."""
    raw, slope, web = sample
    low, high = float(raw.min()) - 4.0, float(raw.max()) + 4.0
    for _ in range(16):
        middle = (low + high) / 2
        mean = float((soft_step((raw - middle) / softness) * slope + web).mean())
        low, high = (middle, high) if mean > target else (low, middle)
    return (low + high) / 2


def _add_vessels(excess: Volume, breast: Breast, shape: Shape) -> None:
    rng = stream(breast.key, "vessels", shape.view, shape.laterality)
    for _ in range(int(rng.integers(3, 7))):
        slab = int(rng.integers(1, len(excess) - 1))
        diameter = rng.uniform(0.7, 1.9)
        path = _walk(rng, shape)
        canvas = np.zeros(shape.inside.shape, np.float32)
        points = np.round(path / shape.grid_mm * 16).astype(np.int32)
        thick = max(1, round(diameter / shape.grid_mm))
        cv2.polylines(canvas, [points], False, 1.0, thick, cv2.LINE_AA, 4)
        line = blur(canvas, 0.2 / shape.grid_mm) * shape.inside
        excess[slab] += line * np.float32((BLOOD - FAT) * diameter * 0.75)


def _walk(rng: np.random.Generator, shape: Shape) -> Float32[np.ndarray, "point 2"]:
    """A vessel's way from the chest wall towards the nipple, in mm."""
    x = rng.uniform(0, 0.25) * shape.depth_mm
    y = shape.nipple_y_mm + rng.uniform(-0.8, 0.8) * shape.half_height_mm
    angle = np.arctan2(shape.nipple_y_mm - y, shape.depth_mm - x) + rng.normal() * 0.25
    angles = angle + np.cumsum(rng.normal(0, 0.16, int(rng.integers(12, 26))))
    steps = 3.2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    return (np.array([x, y]) + np.cumsum(steps, 0)).astype(np.float32)


def _add_skin(excess: Volume, shape: Shape) -> None:
    """Skin on both faces, and on the rim, which the beam meets edge-on."""
    over_fat = np.float32(SKIN - FAT)
    rim = np.exp(-((shape.distance_mm / (SKIN_MM * 0.8)) ** 2)) * shape.inside
    excess += rim * (0.6 * over_fat) * shape.filling * np.float32(shape.slab_mm)
    faces = shape.inside * (over_fat * np.float32(SKIN_MM))
    excess[0] += faces
    excess[-1] += faces
