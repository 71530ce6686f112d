"""Where a finding lies in a view, and the rectangles of slabs that it touches."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from mgray.phantom.geometry import Shape
from mgray.phantom.tissue import Tissue


@dataclass(frozen=True)
class Spot:
    """A point of one view in mm, left frame."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class Patch:
    """A change of the line integrals in a rectangle, which may stick out of the image."""

    slab: int
    row: int
    column: int
    change: Float32[np.ndarray, "slab height width"]

    def where(self, shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
        """Indices into a volume of this shape."""
        depth, height, width = self.change.shape
        return (
            slice(self.slab, self.slab + depth),
            slice(max(self.row, 0), min(self.row + height, shape[1])),
            slice(max(self.column, 0), min(self.column + width, shape[2])),
        )

    def cut(self, shape: tuple[int, ...]) -> Float32[np.ndarray, "slab height width"]:
        """The part of the change that lies within a volume of this shape."""
        _, rows, columns = self.where(shape)
        return self.change[
            :,
            rows.start - self.row : rows.stop - self.row,
            columns.start - self.column : columns.stop - self.column,
        ]


def slab_at(z: float, shape: Shape) -> int:
    """Index of the slab at this height."""
    first = float(shape.slab_z_mm[0])
    return int(np.clip(np.floor((z - first) / shape.slab_mm + 0.5), 0, len(shape.slab_z_mm) - 1))


def window(spot: Spot, radius: float, shape: Shape) -> tuple[slice, slice]:
    """Rows and columns of the tissue grid within ``radius`` of a spot."""
    (height, width), step = shape.inside.shape, shape.grid_mm
    rows = slice(
        int(max(0, (spot.y - radius) / step)), int(min(height, (spot.y + radius) / step + 1))
    )
    columns = slice(
        int(max(0, (spot.x - radius) / step)), int(min(width, (spot.x + radius) / step + 1))
    )
    return rows, columns


def free_slab(spot: Spot, radius: float, shape: Shape, tissue: Tissue) -> float:
    """Height of the slab where the neighbourhood is fattiest: other slabs then overlap the mass."""
    rows, columns = window(spot, radius * 1.6, shape)
    gland = tissue.gland[:, rows, columns].mean((1, 2))
    smooth = np.convolve(np.pad(gland, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    z = shape.slab_z_mm
    allowed = np.abs(z) < max(shape.thickness_mm / 2 - radius * 0.8, shape.slab_mm)
    return float(z[np.argmin(np.where(allowed, smooth, np.inf))])
