"""What a model does at one threshold: sensitivities, and false positives by kind of image."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mgray.metrics.froc import froc
from mgray.metrics.outcomes import Outcomes, false_marks, images_hit


@dataclass(frozen=True)
class OperatingPoint:
    """Rates at a threshold; None where there is no lesion or no image of the kind.

    Attributes:
        threshold: A mark counts when its score is at least this.
        sensitivity: Share of lesions found.
        image_sensitivity: Share of positive images in which any lesion is found.
        fppi: False positives per image.
        fppi_healthy: Of images without a lesion.
        fppi_positive: Of images with one.
    """

    threshold: float
    sensitivity: float | None
    image_sensitivity: float | None
    fppi: float | None
    fppi_healthy: float | None
    fppi_positive: float | None


def operate(outcomes: Outcomes, threshold: float) -> OperatingPoint:
    """Measure one model at a threshold."""
    positive, false = outcomes.positive, false_marks(outcomes, threshold)
    return OperatingPoint(
        threshold,
        _mean(outcomes.lesion_scores >= threshold),
        _mean(images_hit(outcomes, threshold)[positive]),
        _mean(false),
        _mean(false[~positive]),
        _mean(false[positive]),
    )


def operating_threshold(outcomes: Outcomes, fppi: float = 1.0) -> float:
    """The lowest score threshold with at most ``fppi`` false positives per image.

    Where even the highest score gives more, the answer is just above it; without any mark it is 0.
    """
    curve = froc(outcomes)
    if len(curve.fppi) == 1:
        return 0.0
    last = int(np.flatnonzero(curve.fppi <= fppi)[-1])
    return float(curve.thresholds[last] if last else np.nextafter(curve.thresholds[1], np.inf))


def _mean(values: Float[np.ndarray, " _"] | np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
