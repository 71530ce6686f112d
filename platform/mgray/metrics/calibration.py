"""Do probabilities mean what they say? Reliability curve, ECE, Brier score."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from mgray.metrics.binary import wilson
from mgray.metrics.roc import Scores, Truth

Bins = Literal["width", "mass"]


@dataclass(frozen=True)
class Bin:
    """Cases of like probability.

    Attributes:
        cases: How many.
        predicted: Their mean probability.
        observed: Share of them that is positive.
        ci95: Wilson's interval of the share.
    """

    cases: int
    predicted: float
    observed: float
    ci95: tuple[float, float] | None


def reliability(
    truth: Truth, probabilities: Scores, count: int = 10, bins: Bins = "width"
) -> list[Bin]:
    """The reliability curve; bins without a case are left out.

    Args:
        truth: Positive cases.
        probabilities: Between 0 and 1.
        count: Of bins.
        bins: Of equal ``width`` on the axis, or of equal ``mass``, as many cases in each.
    """
    number = np.digitize(probabilities, _edges(probabilities, count, bins)[1:-1])
    found = []
    for each in np.unique(number):
        own = number == each
        positive, cases = int(truth[own].sum()), int(own.sum())
        predicted = float(probabilities[own].mean())
        found.append(Bin(cases, predicted, positive / cases, wilson(positive, cases)))
    return found


def expected_calibration_error(curve: list[Bin]) -> float:
    """Mean distance of predicted and observed, over cases (ECE); NaN without a case.

    References:
        Naeini et al., AAAI 2015; its value depends on the bins: state them.
    """
    cases = np.array([each.cases for each in curve], float)
    gaps = np.array([abs(each.predicted - each.observed) for each in curve], float)
    return float(gaps @ cases / cases.sum()) if len(curve) else float("nan")


def brier_score(truth: Truth, probabilities: Scores) -> float:
    """Mean square of probability minus truth.

    References:
        Brier, Monthly Weather Review 78 (1950) 1.
    """
    return float(((probabilities - truth) ** 2).mean())


def _edges(probabilities: Scores, count: int, bins: Bins) -> Float[np.ndarray, " _"]:
    steps = np.linspace(0, 1, count + 1)
    edges: Float[np.ndarray, " _"] = (
        steps if bins == "width" else np.unique(np.quantile(probabilities, steps))
    )
    return edges
