"""The compressed breast: outline, thickness, slabs and pectoral muscle of one view.

Everything is made in the left breast's frame: x from the chest wall (column 0) to the nipple, y
along the chest wall (the tube's travel) with the axilla on top in MLO, z through the breast. Right
breasts are mirrored at the very end. The grid has twice the FFDM's pixel spacing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float32
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from mgray.phantom.fields import smooth_step, stream

Laterality = Literal["L", "R"]
ViewName = Literal["CC", "MLO"]
Density = Literal["a", "b", "c", "d"]
VIEWS: Final[tuple[tuple[Laterality, ViewName], ...]] = (
    ("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"),
)  # fmt: skip
DENSITY_SHARES: Final[dict[Density, float]] = {"a": 0.1, "b": 0.4, "c": 0.4, "d": 0.1}
SLAB_MM: Final = 5.0


@dataclass(frozen=True)
class Composition:
    """A BI-RADS class: thickness and gland fraction (mean, sd), fat layer, edge softness."""

    thickness_mm: tuple[float, float]
    gland: tuple[float, float]
    fat_layer_mm: float
    softness: float
    scatter: float


# Thickness and fractions after VICTRE and Yaffe 2009 (PMC2787062).
COMPOSITIONS: Final[dict[Density, Composition]] = {
    "a": Composition((60.0, 7.0), (0.05, 0.015), 14.0, 0.45, 1.0),
    "b": Composition((56.0, 7.0), (0.13, 0.03), 11.0, 0.55, 0.7),
    "c": Composition((48.0, 7.0), (0.27, 0.04), 7.0, 0.65, 0.35),
    "d": Composition((40.0, 6.0), (0.48, 0.06), 3.5, 0.75, 0.0),
}


@dataclass(frozen=True)
class Frame:
    """The FFDM's pixel grid."""

    height: int
    width: int
    pixel_mm: float

    @property
    def grid_mm(self) -> float:
        """Spacing of the coarser grid on which tissue is made."""
        return 2 * self.pixel_mm


@dataclass(frozen=True)
class Breast:
    """What both sides and all views of one patient share."""

    key: tuple[int, ...]
    density: Density
    thickness_mm: float
    gland_fraction: float
    size: float
    aspect: float
    muscle: float
    fat_layer_mm: float


@dataclass(frozen=True)
class Shape:
    """One compressed view on the tissue grid.

    ``distance_mm`` is the distance to the skin, ``height_mm`` the local thickness, ``slab_z_mm``
    the centres of the slabs, ``filling`` the filled share of every slab, ``pectoral`` the muscle's
    share of the thickness and ``fibre`` its shading.
    """

    laterality: Laterality
    view: ViewName
    frame: Frame
    depth_mm: float
    half_height_mm: float
    thickness_mm: float
    nipple_y_mm: float
    slab_mm: float
    slab_z_mm: Float32[np.ndarray, " slab"]
    x: Float32[np.ndarray, "1 width"]
    y: Float32[np.ndarray, "height 1"]
    inside: Bool[np.ndarray, "height width"]
    distance_mm: Float32[np.ndarray, "height width"]
    height_mm: Float32[np.ndarray, "height width"]
    filling: Float32[np.ndarray, "slab height width"]
    pectoral: Float32[np.ndarray, "height width"]
    fibre: Float32[np.ndarray, "height width"]

    @property
    def grid_mm(self) -> float:
        """Spacing of the tissue grid."""
        return self.frame.grid_mm


def sample_breast(key: Sequence[int]) -> Breast:
    """Draw a patient; findings have no influence on her."""
    rng = stream(key, "breast")
    shares = list(DENSITY_SHARES.values())
    density = list(DENSITY_SHARES)[rng.choice(len(shares), p=shares)]
    kind = COMPOSITIONS[density]
    return Breast(
        key=tuple(key),
        density=density,
        thickness_mm=float(np.clip(rng.normal(*kind.thickness_mm), 22, 85)),
        gland_fraction=float(np.clip(rng.normal(*kind.gland), 0.02, 0.75)),
        size=float(rng.normal()),
        aspect=float(rng.uniform(0.80, 0.95)),
        muscle=float(rng.uniform(0.8, 1.2)),
        fat_layer_mm=float(kind.fat_layer_mm * rng.uniform(0.75, 1.3)),
    )


def build_shape(breast: Breast, laterality: Laterality, view: ViewName, frame: Frame) -> Shape:
    """Compress one breast into one view."""
    both = stream(breast.key, "shape", view)  # shared by both sides
    own = stream(breast.key, "nipple", view, laterality)
    depth, half_height = _size(breast, view, frame)
    rows, grid = frame.height // 2, frame.grid_mm
    edge, nipple_y = _outline(both, view, (depth, half_height), (rows, grid))
    width = min(frame.width // 2, int(np.ceil((edge.max() + 12) / grid)))
    x = ((np.arange(width, dtype=np.float32) + 0.5) * grid)[None]
    y = ((np.arange(rows, dtype=np.float32) + 0.5) * grid)[:, None]
    bump = own.uniform(1.5, 4.5) * np.exp(-(np.abs((y[:, 0] - nipple_y) / 5.2) ** 3))
    inside = x < (edge + bump)[:, None]
    distance = _distance_to_skin(inside, view) * np.float32(grid)
    thickness = breast.thickness_mm * (1.04 if view == "MLO" else 1.0)
    roll = 1 - np.clip(1 - distance / (thickness * 0.55), 0, 1) ** 2
    height = (thickness * np.sqrt(roll)).astype(np.float32)
    slabs = max(6, round(thickness / SLAB_MM))
    slab_mm = thickness / slabs
    z = ((np.arange(slabs) - (slabs - 1) / 2) * slab_mm).astype(np.float32)
    filling = np.clip((height / 2 - np.abs(z)[:, None, None]) / slab_mm + 0.5, 0, 1)
    pectoral, fibre = _pectoral(both, breast, (depth, frame.height * frame.pixel_mm), (x, y))
    return Shape(
        laterality, view, frame, depth, half_height, thickness, nipple_y, slab_mm, z, x, y, inside,
        distance, height, filling.astype(np.float32),
        pectoral * np.float32(view == "MLO"), fibre,
    )  # fmt: skip


def _size(breast: Breast, view: ViewName, frame: Frame) -> tuple[float, float]:
    field = frame.height * frame.pixel_mm
    mean = 84 + 0.28 * (field - 143) + (4 if view == "MLO" else 0)  # larger paddle, larger breast
    limit = min(0.86 * frame.width * frame.pixel_mm, 190)
    depth = float(np.clip(mean + 15 * breast.size, min(48, limit), limit))
    if view == "CC":
        return depth, float(np.clip(depth * breast.aspect, min(38, 0.4 * field), 0.47 * field))
    return depth, float(np.clip(depth * breast.aspect * 1.08, 0.43 * field, 0.48 * field))


def _outline(
    rng: np.random.Generator,
    view: ViewName,
    size: tuple[float, float],
    grid: tuple[int, float],
) -> tuple[Float32[np.ndarray, " height"], float]:
    """Skin's x for every row, and the nipple's y, in mm."""
    (depth, half_height), (rows, step) = size, grid
    y = (np.arange(rows, dtype=np.float32) + 0.5) * step
    centre = rows * step / 2
    if view == "CC":
        return _outline_cc(rng, depth, half_height, y - centre, centre)
    top, bottom = centre - half_height * 1.04, centre + half_height * 0.98
    return _outline_mlo(rng, depth, y, (top, bottom), step)


def _outline_cc(
    rng: np.random.Generator,
    depth: float,
    half_height: float,
    offset: Float32[np.ndarray, " height"],
    centre: float,
) -> tuple[Float32[np.ndarray, " height"], float]:
    shift = rng.uniform(-0.03, 0.03) * half_height
    t = (offset - shift) / half_height
    power, skew = rng.uniform(1.9, 2.3), rng.uniform(-0.12, 0.12)
    arc = np.clip(1 - np.abs(t) ** power, 0, None) ** (1 / rng.uniform(1.75, 2.1))
    edge = depth * arc * (1 + skew * t * (1 - np.abs(t).clip(0, 1)))
    return edge.astype(np.float32), float(centre + shift + skew * half_height * 0.25)


def _outline_mlo(
    rng: np.random.Generator,
    depth: float,
    y: Float32[np.ndarray, " height"],
    span: tuple[float, float],
    step: float,
) -> tuple[Float32[np.ndarray, " height"], float]:
    t = (y - span[0]) / (span[1] - span[0])
    knots = np.array([-0.3, 0, 0.15, 0.35, 0.58, 0.74, 0.86, 0.94, 1.0, 1.3])
    values = np.array([0.56, 0.62, 0.72, 0.90, 1.0, 0.97, 0.82, 0.60, 0.42, 0.30])
    wobble = np.concatenate([
        rng.uniform(-0.10, 0.10, 1), rng.uniform(-0.07, 0.07, 3), [0.0],
        rng.uniform(-0.05, 0.05, 2), rng.uniform(-0.2, 0.2, 3),
    ])  # fmt: skip
    spline = PchipInterpolator(knots, values * (1 + wobble))
    edge = gaussian_filter1d(depth * spline(np.clip(t, -0.3, 1.3)), 5 / step, mode="nearest")
    return edge.astype(np.float32), float(y[int(np.argmax(edge))])


def _distance_to_skin(
    inside: Bool[np.ndarray, "height width"], view: ViewName
) -> Float32[np.ndarray, "height width"]:
    """In pixels; tissue goes on behind the chest wall, and in MLO above and below the image."""
    rows = 40 if view == "MLO" else 0
    wide = cv2.copyMakeBorder(inside.astype(np.uint8), rows, rows, 60, 0, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(wide, cv2.DIST_L2, 3)
    return np.ascontiguousarray(distance[rows : wide.shape[0] - rows, 60:], np.float32)


def _pectoral(
    rng: np.random.Generator,
    breast: Breast,
    size: tuple[float, float],
    axes: tuple[Float32[np.ndarray, "1 width"], Float32[np.ndarray, "height 1"]],
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    (depth, field), (x, y) = size, axes
    wide = depth * rng.uniform(0.38, 0.58) * breast.muscle
    high = field * rng.uniform(0.50, 0.68)
    bend = rng.uniform(-0.02, 0.10)
    t = np.clip(y / high, 0, 1.2)
    behind = wide * (1 - t) * (1 + bend * 4 * t * (1 - t)) - x
    share = np.clip(0.22 + behind / 110, 0.22, rng.uniform(0.42, 0.60))
    wave = behind * 0.30 + 1.6 * np.sin(y / 17 + x / 23) + 1.1 * np.sin(behind * 0.21 + y * 0.05)
    fibre = 0.5 + 0.5 * np.sin(wave * 1.1)
    muscle = smooth_step(behind / 2.2 + 0.5) * share
    return muscle.astype(np.float32), fibre.astype(np.float32)
