"""FROC: lesion sensitivity against false positives per image, and the area under it (FAUC-x).

The curve is exact: every distinct score is an operating point, and marks of equal score enter
together. Weights per image make the same code serve the bootstrap: a patient drawn twice counts
twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from mgray.metrics.area import MARGIN, Weights
from mgray.metrics.config import Interpolation
from mgray.metrics.outcomes import Outcomes

Points = Float[np.ndarray, "replicate point"]


@dataclass(frozen=True)
class Curve:
    """Operating points by falling threshold, from (0, 0) on.

    Attributes:
        thresholds: A mark counts when its score is at least this; the first is ``inf``.
        fppi: False positives per image.
        sensitivity: Share of lesions found.
    """

    thresholds: Float[np.ndarray, " point"]
    fppi: Float[np.ndarray, " point"]
    sensitivity: Float[np.ndarray, " point"]


@dataclass(frozen=True)
class Fauc:
    """Area under a FROC curve.

    Attributes:
        raw: Area from 0 to x.
        norm: ``raw / x``; equal to ``raw`` for x = 1.
        max_fpi: False positives per image at the curve's end; below x the curve was extended flat.
    """

    raw: float
    norm: float
    max_fpi: float


@dataclass(frozen=True)
class Events:
    """All hits and false positives by falling score.

    Attributes:
        image: Image of each event.
        lesion: Whether the event is a lesion being found.
        ends: Last event of each operating point.
        scores: Score of each operating point.
        lesions: Lesions of each image.
    """

    image: Int[np.ndarray, " event"]
    lesion: Bool[np.ndarray, " event"]
    ends: Int[np.ndarray, " point"]
    scores: Float[np.ndarray, " point"]
    lesions: Int[np.ndarray, " image"]


def froc(outcomes: Outcomes, interpolation: Interpolation = "trapezoid") -> Curve:
    """The curve of one model; sensitivities are NaN where there is no lesion at all."""
    events = build_events(outcomes, interpolation)
    fppi, sensitivity = weighted_curves(events, np.ones((1, outcomes.images)))
    return Curve(np.r_[np.inf, events.scores], fppi[0], sensitivity[0])


def fauc(curve: Curve, x: float = 1.0, interpolation: Interpolation = "trapezoid") -> Fauc:
    """The area under a curve from 0 to ``x`` false positives per image.

    The curve is extended flat where it ends before ``x``; ``max_fpi`` makes that visible.
    """
    raw = float(_area(curve.fppi[None], curve.sensitivity[None], x, interpolation)[0])
    return Fauc(raw, raw / x, float(curve.fppi[-1]))


def sensitivity_at(curve: Curve, fppi: Float[np.ndarray, " grid"]) -> Float[np.ndarray, " grid"]:
    """Sensitivity at given false positives per image (TPR@FPI).

    Linear between operating points, the top of a vertical rise, flat beyond the curve's end.
    """
    at: Float[np.ndarray, " grid"] = np.interp(fppi, curve.fppi, curve.sensitivity)
    return at


def curve_statistic(
    outcomes: Outcomes, fppi: Float[np.ndarray, " grid"]
) -> Callable[[Weights], Float[np.ndarray, "replicate grid"]]:
    """Sensitivity at given false positives per image as a function of image weights, for bands."""

    def measure(x: Points, y: Points) -> Float[np.ndarray, "replicate grid"]:
        return np.stack([np.interp(fppi, *curve) for curve in zip(x, y, strict=True)])

    return _measure_until(float(fppi.max()), build_events(outcomes), outcomes.images, measure)


def build_events(outcomes: Outcomes, interpolation: Interpolation = "trapezoid") -> Events:
    """Sort hits and false positives by falling score and mark where equal scores end.

    ``dbtex_interp`` keeps the operating points at which a lesion is found, also for the second
    time, and the last one.
    """
    hit = outcomes.lesion_scores > -np.inf
    scores = np.r_[outcomes.lesion_scores[hit], outcomes.false_scores]
    image = np.r_[outcomes.lesion_images[hit], outcomes.false_images].astype(np.int64)
    lesion = np.arange(len(scores)) < hit.sum()
    order = np.argsort(-scores, kind="stable")
    scores, image, lesion = scores[order], image[order], lesion[order]
    ends = np.flatnonzero(np.r_[np.diff(scores) != 0, True][: len(scores)])
    if interpolation == "dbtex_interp" and len(ends):
        points = np.r_[outcomes.lesion_scores[hit], outcomes.repeat_scores]
        last = np.searchsorted(-scores[ends], -points, side="right") - 1
        ends = ends[np.union1d(last[last >= 0], len(ends) - 1)]
    lesions = np.bincount(outcomes.lesion_images, minlength=outcomes.images)
    return Events(image, lesion, ends, scores[ends], lesions)


def weighted_curves(
    events: Events, weights: Weights
) -> tuple[Float[np.ndarray, "replicate point"], Float[np.ndarray, "replicate point"]]:
    """False positives per image and sensitivity at every operating point, per row of weights."""
    weight = weights.take(events.image, axis=1)
    found = np.cumsum(weight * events.lesion, axis=1).take(events.ends, axis=1)
    false = np.cumsum(weight, axis=1).take(events.ends, axis=1) - found
    start = np.zeros((len(weights), 1))
    with np.errstate(invalid="ignore", divide="ignore"):  # no image or no lesion: NaN says so
        fppi = np.hstack([start, false / weights.sum(axis=1, keepdims=True)])
        sensitivity = np.hstack([start, found]) / (weights @ events.lesions)[:, None]
    return fppi, sensitivity


def _measure_until(
    x: float, full: Events, images: int, measure: Callable[[Points, Points], np.ndarray]
) -> Callable[[Weights], np.ndarray]:
    """Measure weighted curves up to ``x`` false positives per image.

    Only events that matter below ``x`` are looked at; a replicate in which they do not reach ``x``
    is measured again with all of them, so the result is exact.
    """
    short = _until(full, MARGIN * x * images)

    def statistic(weights: Weights) -> np.ndarray:
        fppi, sensitivity = weighted_curves(short, weights)
        measured = measure(fppi, sensitivity)
        again = fppi[:, -1] < x
        if again.any() and len(short.ends) < len(full.ends):
            measured[again] = measure(*weighted_curves(full, weights[again]))
        return measured

    return statistic


def _until(events: Events, false_marks: float) -> Events:
    false = np.cumsum(~events.lesion)[events.ends]
    points = int(np.searchsorted(false, false_marks)) + 1
    if points >= len(events.ends):
        return events
    stop = int(events.ends[points - 1]) + 1
    return replace(
        events,
        image=events.image[:stop],
        lesion=events.lesion[:stop],
        ends=events.ends[:points],
        scores=events.scores[:points],
    )


def _area(
    fppi: Float[np.ndarray, "replicate point"],
    sensitivity: Float[np.ndarray, "replicate point"],
    x: float,
    interpolation: Interpolation,
) -> Float[np.ndarray, " replicate"]:
    step = np.diff(fppi, axis=1)
    width = np.diff(np.minimum(fppi, x), axis=1)
    height = sensitivity[:, :-1].copy()
    if interpolation != "exact_step":
        inside = width / np.maximum(step, np.finfo(float).tiny)  # 0 where the curve is vertical
        height += np.diff(sensitivity, axis=1) * inside / 2
    flat = np.maximum(x - fppi[:, -1], 0.0) * sensitivity[:, -1]
    area: Float[np.ndarray, " replicate"] = np.einsum("rp,rp->r", width, height) + flat
    return area
