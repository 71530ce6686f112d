"""Rates of a yes or no answer: sensitivity, specificity, precision, F1, accuracy."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import ndtri

from mgray.metrics.roc import Scores, Truth, roc_curve


@dataclass(frozen=True)
class Confusion:
    """Counts at a threshold; a rate is None where nothing is counted in its denominator."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def sensitivity(self) -> float | None:
        """Share of positive cases called positive; TPR, recall."""
        return _share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float | None:
        """Share of negative cases called negative; TNR."""
        return _share(self.true_negative, self.true_negative + self.false_positive)

    @property
    def precision(self) -> float | None:
        """Share of positive calls that are right; PPV."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and sensitivity; 0 where cases are all missed."""
        wrong = self.false_positive + self.false_negative
        return _share(2 * self.true_positive, 2 * self.true_positive + wrong)

    @property
    def accuracy(self) -> float | None:
        """Share of cases called right."""
        right = self.true_positive + self.true_negative
        return _share(right, right + self.false_positive + self.false_negative)


def confusion(truth: Truth, scores: Scores, threshold: float) -> Confusion:
    """Call a case positive when its score is at least ``threshold``."""
    called = scores >= threshold
    return Confusion(
        int((called & truth).sum()),
        int((called & ~truth).sum()),
        int((~called & ~truth).sum()),
        int((~called & truth).sum()),
    )


def youden_threshold(truth: Truth, scores: Scores) -> float:
    """The threshold of the largest sensitivity + specificity; the highest of equals.

    References:
        Youden, Cancer 3 (1950) 32.
    """
    curve, positive = roc_curve(truth, scores), truth.sum()
    negative = len(truth) - positive
    found = np.rint(curve.sensitivity * positive)
    false = np.rint(curve.false_positive_rate * negative)
    # in whole cases: shares that are equal may differ by rounding
    return float(curve.thresholds[np.argmax(found * negative - false * positive)])


def wilson(found: int, count: int, level: float = 0.95) -> tuple[float, float] | None:
    """Score interval of a share of independent cases; None without one.

    References:
        Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    if not count:
        return None
    z = float(ndtri((1 + level) / 2))
    share, scale = found / count, 1 + z**2 / count
    middle = share + z**2 / (2 * count)
    half = z * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
