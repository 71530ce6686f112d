"""Paired tests of two models on the same cases, beside DeLong's and the paired bootstrap."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest
from scipy.stats import wilcoxon as scipy_wilcoxon

from mgray.metrics.roc import Scores


@dataclass(frozen=True)
class McNemar:
    """Cases that one model alone gets right.

    Attributes:
        only_first: Right in the first alone.
        only_second: Right in the second alone.
        p_value: Two-sided, exact; 1 where the models never differ.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: Bool[np.ndarray, " case"], second: Bool[np.ndarray, " case"]) -> McNemar:
    """Compare which cases two models get right.

    References:
        McNemar, Psychometrika 12 (1947) 153; exact by the binomial distribution.
    """
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = float(binomtest(one, one + other).pvalue) if one + other else 1.0
    return McNemar(one, other, p_value)


def wilcoxon(first: Scores, second: Scores) -> float:
    """Two-sided p of the signed-rank test on paired scores; 1 where all are equal.

    It tests whether scores are shifted, not whether cases are told apart better: a model that adds
    a constant to every score differs "significantly" and has the same AUC. Give DeLong's test too.

    References:
        Wilcoxon, Biometrics Bulletin 1 (1945) 80; equal pairs are left out.
    """
    differ = first != second
    if not differ.any():
        return 1.0
    return float(scipy_wilcoxon(first[differ], second[differ]).pvalue)
