"""The RSNA metric in its three readings: the formula, the best threshold, a threshold held out.

The formula of the competition counts probabilities as parts of cases. The second reading is what
P5's table holds, and is optimistic: its threshold is chosen on the predictions that it is printed
for. The third chooses it on the other folds.

References:
    Kaggle, RSNA Screening Mammography Breast Cancer Detection, 2023, evaluation: per breast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from mgray.metrics.binary import confusion
from mgray.metrics.roc import Scores, Truth

GRID: Final = np.linspace(0, 1, 100)  # thresholds tried by P5's authors


@dataclass(frozen=True)
class PF1:
    """All three readings, always beside each other.

    Attributes:
        pf1_soft: The formula on probabilities.
        f1_best: F1 at the best threshold of the grid, on the same cases.
        best_threshold: That threshold, the lowest of equals.
        f1_held_out: F1 when each fold is cut at the best threshold of the other folds; None with
            fewer than two folds.
    """

    pf1_soft: float
    f1_best: float
    best_threshold: float
    f1_held_out: float | None


def pf1_readings(truth: Truth, probabilities: Scores, folds: Int[np.ndarray, " case"]) -> PF1:
    """Measure all three; pool the images of a breast first, see ``pool_mean``."""
    best = best_threshold(truth, probabilities)
    return PF1(
        pf1_soft(truth, probabilities),
        confusion(truth, probabilities, best).f1 or 0.0,
        best,
        _held_out(truth, probabilities, folds),
    )


def pf1_soft(truth: Truth, probabilities: Scores) -> float:
    """The formula; probabilities are cut at 0 and 1, and a degenerate case scores 0."""
    cut = np.clip(probabilities, 0, 1)
    true, false = float(cut[truth].sum()), float(cut[~truth].sum())
    if not true:
        return 0.0
    precision, recall = true / (true + false), true / truth.sum()
    return float(2 * precision * recall / (precision + recall))


def best_threshold(
    truth: Truth, probabilities: Scores, grid: Float[np.ndarray, " threshold"] = GRID
) -> float:
    """The threshold of the grid with the best F1; the lowest of equals."""
    f1 = [confusion(truth, probabilities, float(each)).f1 or 0.0 for each in grid]
    return float(grid[int(np.argmax(f1))])


def pool_mean(
    keys: Sequence[str], truth: Truth, probabilities: Scores
) -> tuple[list[str], Bool[np.ndarray, " key"], Float[np.ndarray, " key"]]:
    """The images of a breast as one case: mean probability, positive when any image is.

    Returns:
        The keys in order, and truth and probability of each.
    """
    names, of_image = np.unique(np.asarray(keys, dtype=str), return_inverse=True)
    positive = np.bincount(of_image, weights=truth) > 0
    return names.tolist(), positive, np.bincount(of_image, probabilities) / np.bincount(of_image)


def _held_out(truth: Truth, probabilities: Scores, folds: Int[np.ndarray, " case"]) -> float | None:
    names = np.unique(folds)
    if len(names) < 2:
        return None
    margin = np.zeros(len(truth))
    for fold in names:
        own = folds == fold
        margin[own] = probabilities[own] - best_threshold(truth[~own], probabilities[~own])
    return confusion(truth, margin, 0.0).f1 or 0.0
