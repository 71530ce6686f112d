import numpy as np
import pytest
from hypothesis import given

from mgray.metrics.binary import confusion
from mgray.metrics.pf1 import best_threshold, pf1_readings, pf1_soft, pool_mean
from tests.metrics.test_roc import any_cases

TRUTH = np.array([True, True, False, False, False, True])
PROBABILITIES = np.array([0.9, 0.4, 0.45, 0.1, 0.0, 0.7])
FOLDS = np.array([0, 0, 0, 1, 1, 1])


def test_the_formula_counts_probabilities_as_parts_of_cases() -> None:
    precision, recall = 2.0 / 2.55, 2.0 / 3
    expected = 2 * precision * recall / (precision + recall)
    assert pf1_soft(TRUTH, PROBABILITIES) == pytest.approx(expected)


@given(any_cases())
def test_of_certain_answers_all_readings_are_f1(cases: tuple[np.ndarray, np.ndarray]) -> None:
    truth, certain = cases[0], (cases[1] > 0.15).astype(float)
    f1 = confusion(truth, certain, 0.5).f1
    assert pf1_soft(truth, certain) == pytest.approx(f1)


def test_probabilities_are_cut_at_zero_and_one() -> None:
    wild = np.array([7.0, 0.4, 0.45, -3.0, 0.0, 0.7])
    tame = np.array([1.0, 0.4, 0.45, 0.0, 0.0, 0.7])
    assert pf1_soft(TRUTH, wild) == pytest.approx(pf1_soft(TRUTH, tame))


def test_degenerate_cases_score_zero() -> None:
    assert pf1_soft(np.zeros(3, bool), np.ones(3)) == 0
    assert pf1_soft(TRUTH, np.zeros(6)) == 0


def test_the_best_threshold_is_chosen_on_the_same_cases() -> None:
    found = pf1_readings(TRUTH, PROBABILITIES, FOLDS)
    grid = [confusion(TRUTH, PROBABILITIES, float(t)).f1 for t in np.linspace(0, 1, 100)]
    assert found.f1_best == max(grid)
    assert confusion(TRUTH, PROBABILITIES, found.best_threshold).f1 == max(grid)


def test_the_held_out_threshold_comes_from_the_other_folds() -> None:
    called = np.zeros(6, bool)
    for fold in (0, 1):
        own = fold == FOLDS
        called[own] = PROBABILITIES[own] >= best_threshold(TRUTH[~own], PROBABILITIES[~own])
    expected = confusion(TRUTH, called.astype(float), 0.5).f1
    assert pf1_readings(TRUTH, PROBABILITIES, FOLDS).f1_held_out == pytest.approx(expected)


def test_without_another_fold_nothing_is_held_out() -> None:
    assert pf1_readings(TRUTH, PROBABILITIES, np.zeros(6, int)).f1_held_out is None


def test_on_noise_the_best_threshold_is_the_optimistic_reading() -> None:
    rng = np.random.default_rng(0)
    truth, noise = rng.random(400) < 0.1, rng.random(400)
    found = pf1_readings(truth, noise, np.arange(400) % 4)
    assert found.f1_held_out is not None
    assert found.f1_best > found.f1_held_out


def test_a_breast_is_the_mean_of_its_images() -> None:
    keys, truth, pooled = pool_mean(
        ["b", "a", "b"], np.array([False, False, True]), np.array([0.2, 0.5, 0.6])
    )
    assert (keys, truth.tolist()) == (["a", "b"], [False, True])
    assert pooled == pytest.approx([0.5, 0.4])
