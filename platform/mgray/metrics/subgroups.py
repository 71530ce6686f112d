"""Tables by subgroup: density, lesion type and size, view, vendor, site, age.

A group of images has lesions and healthy images; a group of lesions (by type or size) has lesions
only. The threshold is the same in all groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from mgray.metrics.binary import wilson
from mgray.metrics.config import Interpolation
from mgray.metrics.froc import fauc, froc
from mgray.metrics.operating import operate
from mgray.metrics.outcomes import Outcomes, select
from mgray.metrics.roc import delong

UNKNOWN: Final = "unknown"
SIZES_MM: Final = (10.0, 20.0, 50.0)  # T1b/c, T1/T2 and T2/T3 of the TNM classification
AGES: Final = (40.0, 50.0, 60.0, 70.0)


@dataclass(frozen=True)
class ImageGroup:
    """One group of images; a rate is None where it has no denominator.

    Attributes:
        images: How many.
        positive: Those with a lesion.
        lesions: On them.
        found: Lesions found at the threshold.
        sensitivity: Share of them.
        sensitivity_ci95: Wilson's interval; lesions are taken as independent.
        fppi: False positives per image at the threshold.
        fauc_1: Area under the FROC curve of the group.
        auc: Of the images' highest scores.
        auc_ci95: DeLong's interval; images are taken as independent.
    """

    images: int
    positive: int
    lesions: int
    found: int
    sensitivity: float | None
    sensitivity_ci95: tuple[float, float] | None
    fppi: float | None
    fauc_1: float | None
    auc: float | None
    auc_ci95: tuple[float, float] | None


@dataclass(frozen=True)
class LesionGroup:
    """One group of lesions, as ``ImageGroup``."""

    lesions: int
    found: int
    sensitivity: float
    sensitivity_ci95: tuple[float, float] | None


def by_images(
    groups: Sequence[str | None],
    outcomes: Outcomes,
    scores: Float[np.ndarray, " image"],
    threshold: float,
    how: Interpolation = "trapezoid",
) -> dict[str, ImageGroup]:
    """A row for each group of images, e.g. each density; None is ``unknown``.

    Args:
        groups: Of each image.
        outcomes: Of one model.
        scores: Of each image: the highest of its marks.
        threshold: Of the rates.
        how: Of the area, between operating points.
    """
    return {
        name: _image_group(select(outcomes, own), scores[own], threshold, how)
        for name, own in _masks(groups).items()
    }


def by_lesions(
    groups: Sequence[str | None], outcomes: Outcomes, threshold: float
) -> dict[str, LesionGroup]:
    """A row for each group of lesions, e.g. each type; None is ``unknown``."""
    found = outcomes.lesion_scores >= threshold
    rows = {}
    for name, own in _masks(groups).items():
        count, hits = int(own.sum()), int(found[own].sum())
        rows[name] = LesionGroup(count, hits, hits / count, wilson(hits, count))
    return rows


def band(value: float | None, edges: Sequence[float], unit: str) -> str | None:
    """The band that a number falls in, e.g. ``10-20 mm``: its lower edge belongs to it."""
    if value is None or not np.isfinite(value):
        return None
    number = int(np.searchsorted(edges, value, side="right"))
    if not number:
        return f"<{edges[0]:g} {unit}"
    if number == len(edges):
        return f"{edges[-1]:g}+ {unit}"
    return f"{edges[number - 1]:g}-{edges[number]:g} {unit}"


def _masks(groups: Sequence[str | None]) -> dict[str, Bool[np.ndarray, " _"]]:
    names = np.array([UNKNOWN if name is None else name for name in groups], dtype=str)
    return {name: names == name for name in sorted(set(names.tolist()))}


def _image_group(
    outcomes: Outcomes,
    scores: Float[np.ndarray, " image"],
    threshold: float,
    how: Interpolation,
) -> ImageGroup:
    point, positive = operate(outcomes, threshold), outcomes.positive
    found = int((outcomes.lesion_scores >= threshold).sum())
    lesions = len(outcomes.lesion_scores)
    areas = delong(positive, [scores])
    mixed = bool(positive.any() and not positive.all())
    return ImageGroup(
        images=outcomes.images,
        positive=int(positive.sum()),
        lesions=lesions,
        found=found,
        sensitivity=point.sensitivity,
        sensitivity_ci95=wilson(found, lesions),
        fppi=point.fppi,
        fauc_1=fauc(froc(outcomes, how), 1.0, how).raw if lesions else None,
        auc=float(areas.areas[0]) if mixed else None,
        auc_ci95=areas.interval(),
    )
