import numpy as np
import pytest
from scipy.stats import wilcoxon as scipy_wilcoxon

from mgray.metrics.agreement import mcnemar, wilcoxon
from mgray.metrics.roc import auc


def test_mcnemar_counts_what_one_model_alone_gets_right() -> None:
    first = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    second = np.array([1, 0, 0, 0, 0, 0, 1, 0], bool)
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (5, 1)
    assert found.p_value == pytest.approx(2 * (1 + 6) / 2**6)  # both tails of six fair coins


def test_models_that_never_differ_have_p_one() -> None:
    same = np.array([True, False])
    assert mcnemar(same, same).p_value == 1
    assert wilcoxon(np.ones(4), np.ones(4)) == 1


def test_wilcoxon_is_scipys() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=30), rng.normal(0.3, size=30)
    assert wilcoxon(one, other) == scipy_wilcoxon(one, other).pvalue
    assert wilcoxon(one, other) == pytest.approx(wilcoxon(other, one))


def test_wilcoxon_calls_a_shift_significant_that_changes_no_auc() -> None:
    rng, truth = np.random.default_rng(1), np.arange(40) < 12
    scores = truth + rng.normal(size=40)
    assert wilcoxon(scores, scores + 0.01) < 1e-6
    assert auc(truth, scores) == auc(truth, scores + 0.01)


def test_wilcoxon_is_exact_however_many_pairs_are_equal() -> None:
    first = np.r_[np.zeros(20), 0.1, 0.25, 0.3, 0.45, 0.5]
    assert wilcoxon(first, np.zeros(25)) == pytest.approx(2 / 2**5)
