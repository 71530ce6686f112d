"""FAUC-x as a function of image weights: what the bootstrap asks ten thousand times.

A lesion adds the stretch of the axis from the false positives per image at its score to x. So the
area needs no curve and no sorting: only the weighted false positives above each lesion's score,
which are one product of a sparse matrix, made once, with the weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

from mgray.metrics.config import Interpolation
from mgray.metrics.outcomes import Outcomes, select

Weights = Float[np.ndarray, "replicate image"]
Columns = Float[np.ndarray, "image replicate"]
Statistic = Callable[[Weights], Float[np.ndarray, " replicate"]]
MARGIN: Final = 1.25  # false positives kept beyond x; a replicate that needs more gets all


@dataclass(frozen=True)
class Steps:
    """Operating points at which lesions are found, by falling score.

    Attributes:
        false: False positives of each image between one point and the next: two rows a point,
            those above its score and those at its score; one row for those after the last point.
        found: Lesions of each image found at each point.
        diagonal: Whether the curve rises over the false positives at the point's score.
        joined: Whether it rises over all false positives since the point before.
        complete: No point is left out.
    """

    false: csr_array
    found: csr_array
    diagonal: bool
    joined: bool
    complete: bool


def fauc_statistic(
    outcomes: Outcomes, x: float = 1.0, interpolation: Interpolation = "trapezoid"
) -> Statistic:
    """The raw area from 0 to ``x`` false positives per image, flat beyond the curve's end.

    Only points that matter below ``x`` are looked at; a replicate in which they do not reach ``x``
    is measured again with all of them, so the result is exact. ``dbtex_interp`` keeps the operating
    points of the whole data set in every replicate.
    """
    short = build_steps(outcomes, interpolation, MARGIN * x * outcomes.images)

    @cache
    def everything() -> Steps:
        return build_steps(outcomes, interpolation)

    def statistic(weights: Weights) -> Float[np.ndarray, " replicate"]:
        columns = np.ascontiguousarray(weights.T)
        lesions = columns[outcomes.lesion_images].sum(axis=0)
        areas, reached = _areas(short, columns, lesions, x)
        again = ~(reached >= x)
        if again.any() and not short.complete:
            areas[again] = _areas(everything(), columns[:, again], lesions[again], x)[0]
        return areas

    return statistic


def on_positive(outcomes: Outcomes, make: Callable[[Outcomes], Statistic]) -> Statistic:
    """The "+" form of a statistic: hits and false positives of images with a lesion only."""
    positive = np.flatnonzero(outcomes.positive)
    statistic = make(select(outcomes, outcomes.positive))
    return lambda weights: statistic(weights.T[positive].T)


def build_steps(
    outcomes: Outcomes, interpolation: Interpolation, false_marks: float = np.inf
) -> Steps:
    """Put every lesion and every false positive to its operating point.

    Args:
        outcomes: Of one model.
        interpolation: Of the curve.
        false_marks: Points with more false positives than this above them are left out.
    """
    limit = _limit(outcomes.false_scores, false_marks)
    joined = interpolation == "dbtex_interp"
    points = np.unique(np.r_[outcomes.lesion_scores, outcomes.repeat_scores if joined else []])
    points = points[points > -np.inf]
    beyond = points[points < limit]
    if joined and len(beyond):
        limit = beyond[-1]  # the curve rises towards it from before the limit
    points = points[points >= limit]
    near = outcomes.false_scores >= (limit if len(beyond) else points.min(initial=np.inf))
    above = len(points) - np.searchsorted(points, outcomes.false_scores[near], "right")
    tied = len(points) - np.searchsorted(points, outcomes.false_scores[near], "left") - above
    hit = outcomes.lesion_scores >= points.min(initial=np.inf)
    place = len(points) - 1 - np.searchsorted(points, outcomes.lesion_scores[hit])
    rows = 2 * len(points) + 1
    return Steps(
        _counts(2 * above + tied, outcomes.false_images[near], rows, outcomes.images),
        _counts(place, outcomes.lesion_images[hit], len(points), outcomes.images),
        diagonal=interpolation != "exact_step",
        joined=joined,
        complete=not len(beyond),
    )


def _limit(scores: Float[np.ndarray, " mark"], count: float) -> float:
    """The score that ``count`` marks lie at or above; minus infinity where there are fewer."""
    place = len(scores) - int(min(count, len(scores))) - 1
    return float(np.partition(scores, place)[place]) if place >= 0 else -np.inf


def _counts(row: np.ndarray, column: np.ndarray, rows: int, columns: int) -> csr_array:
    return csr_array((np.ones(len(row)), (row, column)), shape=(rows, columns))


def _areas(
    steps: Steps, columns: Columns, lesions: Float[np.ndarray, " replicate"], x: float
) -> tuple[Float[np.ndarray, " replicate"], Float[np.ndarray, " replicate"]]:
    """The area of each replicate, and the false positives per image that were counted."""
    with np.errstate(invalid="ignore", divide="ignore"):  # no image or no lesion: NaN says so
        false = np.cumsum(steps.false @ columns, axis=0) / columns.sum(axis=0)
        above, until = false[:-1:2], false[1::2]
        if steps.joined:
            above = np.vstack([np.zeros((1, columns.shape[1])), until])[: len(until)]
        start = above if steps.diagonal else until
        rise = until - start
        inside = np.clip(x - start, 0.0, rise)  # of the stretch in which the curve rises
        half = np.divide(inside**2, 2 * rise, out=np.zeros_like(rise), where=rise > 0)
        gain = half + np.maximum(x - until, 0.0)
        areas = ((steps.found @ columns) * gain).sum(axis=0) / lesions
    return areas, false[-1]
