"""Findings: drawn once per breast, placed in every view, turned into a change of attenuation.

An ``Effect`` is the difference that a finding makes to healthy tissue. The FFDM and the
tomosynthesis path each add only the effects that show in them, so an image in which a finding does
not show is, bit for bit, the image of the same breast without the finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np

from mgray.phantom.calcifications import Grain, calcification_grains
from mgray.phantom.config import ExamConfig, LesionType
from mgray.phantom.fields import stream
from mgray.phantom.geometry import Breast, Laterality, Shape
from mgray.phantom.masses import mass_change
from mgray.phantom.placement import Patch, Spot, free_slab
from mgray.phantom.tissue import Tissue, Volume

T = TypeVar("T", bound=str)

MALIGNANT: Final[tuple[LesionType, ...]] = (
    "spiculated_mass",
    "irregular_mass",
    "fine_calcifications",
)
BENIGN: Final[tuple[LesionType, ...]] = ("oval_mass", "coarse_calcifications")
SHOWN: Final[dict[str, tuple[bool, bool]]] = {
    "both": (True, True),
    "ffdm_only": (True, False),
    "sm_only": (False, True),
    "neither": (False, False),
}
"""visibility -> (shows in FFDM, shows in SM)"""


@dataclass(frozen=True)
class Finding:
    """One abnormality of one breast, in breast coordinates.

    ``depth`` is the distance behind the nipple over the breast's depth, ``off_axis`` and ``clock``
    the position around the nipple's axis.
    """

    finding_id: str
    kind: LesionType
    depth: float
    off_axis: float
    clock: float
    key: tuple[int, ...]
    in_ffdm: bool
    in_sm: bool
    trace: float = 0.0
    """Part of its contrast that enters the tomosynthesis although it does not show in SM."""

    @property
    def malignant(self) -> bool:
        """The type decides."""
        return self.kind in MALIGNANT

    @property
    def is_mass(self) -> bool:
        """Masses replace tissue; calcifications are added to it."""
        return self.kind.endswith("mass")


@dataclass(frozen=True)
class Effect:
    """What a finding changes in one view.

    ``patches`` are changes of the line integral per slab on the tissue grid; ``grains`` are
    calcifications at the detector's resolution. ``box_mm`` is x0, y0, x1, y1 in the left frame.
    """

    finding: Finding
    box_mm: tuple[float, float, float, float]
    patches: tuple[Patch, ...]
    grains: tuple[Grain, ...]


def sample_findings(
    key: tuple[int, ...], laterality: Laterality, config: ExamConfig
) -> list[Finding]:
    """Draw the findings of one breast; nothing else of the exam depends on them."""
    rng = stream(key, "findings", laterality)
    if rng.random() >= config.finding_share:
        return []
    kinds = MALIGNANT if rng.random() < config.malignant_share else BENIGN
    weights = {kind: getattr(config.lesions, kind) for kind in kinds}
    kind: LesionType = _choose(rng, weights if sum(weights.values()) else dict.fromkeys(kinds, 1.0))
    in_ffdm, in_sm = SHOWN[_choose(rng, config.visibility.shares)]
    drawn = float(stream(key, "trace", laterality).random())
    traced = in_ffdm and not in_sm and drawn < config.visibility.trace_share
    return [
        Finding(
            finding_id=f"{laterality}1",
            kind=kind,
            depth=float(rng.uniform(0.30, 0.75)),
            off_axis=float(rng.uniform(0.05, 0.55)),
            clock=float(rng.uniform(0, 2 * np.pi)),
            key=(*key, int(rng.integers(1 << 30))),
            in_ffdm=in_ffdm,
            in_sm=in_sm,
            trace=config.visibility.trace if traced else 0.0,
        )
    ]


def lesion_effect(
    finding: Finding, breast: Breast, shape: Shape, tissue: Tissue, contrast: float
) -> Effect | None:
    """Place a finding in a view; ``None`` if nothing of it lies in the image."""
    spot = place(finding, shape)
    if not finding.is_mass:
        malignant = finding.kind == "fine_calcifications"
        grains = calcification_grains(finding.key, spot, shape, malignant, contrast)
        return Effect(finding, _grain_box(grains), (), tuple(grains)) if grains else None
    rng = stream(finding.key, "mass")
    radius = float(rng.uniform(4, 9.5 if finding.kind == "oval_mass" else 9))
    if finding.malignant and rng.random() < 0.5:  # superposition: other slabs overlap it
        spot = replace(spot, z=free_slab(spot, radius, shape, tissue))
    box, patch = mass_change(rng, finding.kind, (spot, radius), shape, tissue)
    patch = replace(patch, change=patch.change * np.float32(contrast))
    return Effect(finding, box, (patch,), ())


def place(finding: Finding, shape: Shape) -> Spot:
    """Breast coordinates to mm of a view: depth is kept, the clock gives offset and height."""
    angle = finding.clock + (np.pi / 4 if shape.view == "MLO" else 0)
    across, through = np.cos(angle), np.sin(angle)
    if shape.view == "MLO":
        across, through = through, across
    mirror = -1 if shape.laterality == "R" and shape.view == "CC" else 1
    x = shape.depth_mm * (1 - finding.depth)
    y = shape.nipple_y_mm - mirror * across * finding.off_axis * shape.half_height_mm * 0.75
    z = np.clip(through * finding.off_axis * 0.55, -0.36, 0.36) * shape.thickness_mm
    for _ in range(60):  # pull it inside the breast and out of the pectoral's corner
        if _well_inside(x, y, shape):
            break
        x = x * 0.93 + 0.07 * shape.depth_mm * 0.5
        y = y * 0.93 + 0.07 * shape.nipple_y_mm
    return Spot(float(x), float(y), float(z))


def add_effects(volume: Volume, effects: list[Effect]) -> Volume:
    """Return the slabs with the effects added; the input is kept."""
    if not effects:
        return volume
    volume = volume.copy()
    for effect in effects:
        for patch in (*effect.patches, *(grain.coarse() for grain in effect.grains)):
            slabs, rows, columns = patch.where(volume.shape)
            volume[slabs, rows, columns] += patch.cut(volume.shape)
    return volume


def dim(effect: Effect, share: float) -> Effect:
    """Keep a share of an effect's contrast."""
    patches = (replace(one, change=one.change * np.float32(share)) for one in effect.patches)
    grains = (replace(one, integral=one.integral * np.float32(share)) for one in effect.grains)
    return replace(effect, patches=tuple(patches), grains=tuple(grains))


def _well_inside(x: float, y: float, shape: Shape) -> bool:
    height, width = shape.inside.shape
    row = int(np.clip(y / shape.grid_mm, 0, height - 1))
    column = int(np.clip(x / shape.grid_mm, 0, width - 1))
    corner = 14 + 0.55 * max(0.0, shape.nipple_y_mm - y) if shape.view == "MLO" else 0.0
    return bool(shape.distance_mm[row, column] > 10 and x > max(10.0, corner))


def _grain_box(grains: list[Grain]) -> tuple[float, float, float, float]:
    if not grains:
        return 0.0, 0.0, 0.0, 0.0
    x, y = [grain.x for grain in grains], [grain.y for grain in grains]
    return min(x) - 1.5, min(y) - 1.5, max(x) + 1.5, max(y) + 1.5


def _choose(rng: np.random.Generator, shares: Mapping[T, float]) -> T:
    """Draw a key by its relative share, with one random number whatever the shares are."""
    at = rng.random() * sum(shares.values())
    total = 0.0
    for key, share in shares.items():
        total += share
        if at < total:
            return key
    return max(shares, key=lambda key: shares[key])
