"""ROC and precision-recall: areas, DeLong's interval and test, areas on resampled patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from mgray.metrics.area import Statistic, Weights, fauc_statistic
from mgray.metrics.outcomes import Outcomes

Truth = Bool[np.ndarray, " case"]
Scores = Float[np.ndarray, " case"]


@dataclass(frozen=True)
class Roc:
    """Operating points by falling threshold, from (0, 0) on.

    Attributes:
        thresholds: A case is called positive when its score is at least this; the first is ``inf``.
        false_positive_rate: Share of negative cases called positive.
        sensitivity: Share of positive cases called positive.
    """

    thresholds: Float[np.ndarray, " point"]
    false_positive_rate: Float[np.ndarray, " point"]
    sensitivity: Float[np.ndarray, " point"]


@dataclass(frozen=True)
class DeLong:
    """Areas of models on the same cases.

    Attributes:
        areas: Area under each model's ROC curve; NaN where a class is missing.
        covariance: Of the areas; NaN where a class has fewer than two cases.
    """

    areas: Float[np.ndarray, " model"]
    covariance: Float[np.ndarray, "model model"]

    def interval(self, model: int = 0, level: float = 0.95) -> tuple[float, float] | None:
        """Normal interval of one area, cut at 0 and 1; None where there is no variance."""
        variance = self.covariance[model, model]
        if not variance > 0:
            return None
        spread = ndtri((1 + level) / 2) * np.sqrt(variance)
        low, high = np.clip(self.areas[model] + spread * np.array([-1, 1]), 0, 1)
        return float(low), float(high)

    def p_value(self, one: int = 0, other: int = 1) -> float | None:
        """Two-sided, of equal areas; None where the difference has no variance."""
        sign = np.array([1, -1])
        pair = self.covariance[np.ix_([one, other], [one, other])]
        variance = float(sign @ pair @ sign)
        if not variance > 0:
            return None
        return float(2 * ndtr(-abs(self.areas[one] - self.areas[other]) / np.sqrt(variance)))


def roc_curve(truth: Truth, scores: Scores) -> Roc:
    """Every distinct score is a point; rates are NaN where a class is missing."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True][: len(scores)])
    true = np.r_[0, np.cumsum(truth[order])[ends]]
    false = np.r_[0, np.cumsum(~truth[order])[ends]]
    with np.errstate(invalid="ignore"):
        rates = false / (~truth).sum(), true / truth.sum()
    return Roc(np.r_[np.inf, scores[order][ends]], *rates)


def delong(truth: Truth, scores: Sequence[Scores]) -> DeLong:
    """Areas with their covariance; equal scores count one half.

    Cases are taken as independent: where patients have several, resample patients instead.

    References:
        DeLong et al., Biometrics 44 (1988) 837; ranks as in Sun and Xu, IEEE Signal Process. Lett.
        21 (2014) 1389.
    """
    positive, negative = int(truth.sum()), int((~truth).sum())
    placed = [_placements(truth, each) for each in scores]
    if not positive or not negative:
        return DeLong(np.full(len(scores), np.nan), np.full((len(scores),) * 2, np.nan))
    above = np.stack([pair[0] for pair in placed])
    below = np.stack([pair[1] for pair in placed])
    return DeLong(above.mean(axis=1), _covariance(above) + _covariance(below))


def auc(truth: Truth, scores: Scores) -> float:
    """Area under the ROC curve: a positive case scores above a negative one, equal is one half."""
    return float(delong(truth, [scores]).areas[0])


def average_precision(truth: Truth, scores: Scores) -> float:
    """Area under the precision-recall curve as the mean precision at the positives (AUPRC)."""
    if not truth.any():
        return float("nan")
    curve = roc_curve(truth, scores)
    true = curve.sensitivity * truth.sum()
    false = np.nan_to_num(curve.false_positive_rate) * (~truth).sum()
    precision = true[1:] / (true[1:] + false[1:])
    return float(np.diff(curve.sensitivity) @ precision)


def auc_statistic(truth: Truth, scores: Scores) -> Statistic:
    """The area as a function of case weights, for the bootstrap; NaN where a class is missing.

    It is FAUC-1 of cases with one mark each: a lesion found in each positive case, a false positive
    in each negative one; only the axis is a share of all cases instead of the negative ones.
    """
    marks = [(scores[own], np.flatnonzero(own)) for own in (truth, ~truth)]
    area = fauc_statistic(Outcomes(*marks[0], *marks[1], len(truth)))

    def statistic(weights: Weights) -> Float[np.ndarray, " replicate"]:
        with np.errstate(invalid="ignore", divide="ignore"):
            negative = weights.T[~truth].sum(axis=0) / weights.sum(axis=1)
            areas: Float[np.ndarray, " replicate"] = 1 - (1 - area(weights)) / negative
        return areas

    return statistic


def _placements(truth: Truth, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Share of negatives below each positive, and of positives above each negative."""
    ranks = rankdata(scores)
    positive, negative = truth.sum(), (~truth).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        above = (ranks[truth] - rankdata(scores[truth])) / negative
        below = 1 - (ranks[~truth] - rankdata(scores[~truth])) / positive
    return above, below


def _covariance(placements: Float[np.ndarray, "model _"]) -> Float[np.ndarray, "model model"]:
    models, cases = placements.shape
    if cases < 2:
        return np.full((models, models), np.nan)
    covariance: Float[np.ndarray, "model model"] = (
        np.cov(placements).reshape(models, models) / cases
    )
    return covariance
