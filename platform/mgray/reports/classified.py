"""Whole images called by their highest malignant mark: each model as a classifier of images.

An image's score is that of its highest malignant mark. Thresholds are chosen on the validation
split; the reported split chooses none, but for the reading of pF1 that is defined so.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from jaxtyping import Int

from mgray.metrics.agreement import mcnemar, wilcoxon
from mgray.metrics.binary import confusion, wilson, youden_threshold
from mgray.metrics.bootstrap import Patients
from mgray.metrics.calibration import brier_score, expected_calibration_error, reliability
from mgray.metrics.pf1 import pf1_readings, pool_mean
from mgray.metrics.roc import Scores, Truth, average_precision
from mgray.reports.cases import Cases, image_scores

RULE: Final = "largest sensitivity + specificity on val (Youden), the highest of equals"
COMPARED: Final = (("fused", "sm"), ("upper_bound", "fused"))
FOLDS: Final = 4  # PAPERS.md 5.5: pF1 is printed of four folds
BINS: Final = 10  # of equal width
DECIDED: Final = (
    *("true_positive", "false_positive", "true_negative", "false_negative"),
    *("sensitivity", "sensitivity_ci95", "specificity", "specificity_ci95", "f1"),
)
PF1_KEYS: Final = ("pf1_soft", "f1_best", "best_threshold", "f1_held_out")
Facts = dict[str, Any]


def classification(main: Cases, val: Cases, seed: int) -> Facts:
    """Measure every model as a classifier of images.

    Args:
        main: The reported split.
        val: The split that the thresholds are chosen on.
        seed: Of the folds of pF1.

    Returns:
        Keys of ``classification`` in ``report.json``; what is undefined is None.

        * ``images``, ``positive_images``, ``breasts``, ``positive_breasts``: of ``main``.
        * ``threshold_rule``, ``folds``, ``bins``: how thresholds, pF1 and ECE were made.
        * ``models``, by name: ``auprc``; ``threshold``, counts, ``sensitivity``, ``specificity``
          with Wilson's intervals, and ``f1`` at it; ``pf1_soft``, ``f1_best`` with
          ``best_threshold``, and ``f1_held_out``, all of breasts; ``ece``, ``brier`` and the bins
          of ``reliability``.
        * ``comparisons``: see ``compare``.
    """
    truth, breasts = main.positive, name_breasts(main)
    scores = {model: image_scores(main, model) for model in main.images}
    limits = {model: choose_threshold(val, model) for model in scores}
    folds = deal_patients(main.patients, seed)
    right = {
        model: None if limit is None else (scores[model] >= limit) == truth
        for model, limit in limits.items()
    }
    return {
        "images": len(truth),
        "positive_images": int(truth.sum()),
        "breasts": len(set(breasts)),
        "positive_breasts": len({breasts[n] for n in np.flatnonzero(truth)}),
        "threshold_rule": RULE,
        "folds": int(folds.max()) + 1,
        "bins": BINS,
        "models": {
            model: {"auprc": average_precision(truth, own) if _both(truth) else None}
            | decide(truth, own, limits[model])
            | _pf1(main, breasts, own, folds)
            | _calibration(truth, own)
            for model, own in scores.items()
        },
        "comparisons": [
            compare((first, second), scores, right)
            for first, second in COMPARED
            if {first, second} <= scores.keys()
        ],
    }


def choose_threshold(val: Cases, model: str) -> float | None:
    """Youden's threshold of image scores; None with one class only, or where none beats chance."""
    if not _both(val.positive):
        return None
    found = youden_threshold(val.positive, image_scores(val, model))
    return found if np.isfinite(found) else None


def decide(truth: Truth, scores: Scores, threshold: float | None) -> Facts:
    """Count the images called right and wrong at a threshold; all None without one."""
    facts: Facts = {"threshold": threshold} | dict.fromkeys(DECIDED)
    if threshold is None:
        return facts
    found = confusion(truth, scores, threshold)
    positive, negative = int(truth.sum()), int((~truth).sum())
    return facts | {
        **asdict(found),
        "sensitivity": found.sensitivity,
        "sensitivity_ci95": wilson(found.true_positive, positive),
        "specificity": found.specificity,
        "specificity_ci95": wilson(found.true_negative, negative),
        "f1": found.f1 if positive else None,
    }


def compare(
    pair: tuple[str, str],
    scores: Mapping[str, Scores],
    right: Mapping[str, np.ndarray | None],
) -> Facts:
    """Test two models on the same images, which are taken as independent.

    Args:
        pair: The models, first and second.
        scores: Of every model.
        right: Images that it calls right at its own threshold; None without one.

    Returns:
        ``first``, ``second``; ``mcnemar`` with the images called right by one alone (None where
        a model has no threshold); ``wilcoxon`` with the images that one scores higher. Each has
        its two-sided ``p_value``.
    """
    one, other = (scores[model] for model in pair)
    first, second = (right[model] for model in pair)
    return {
        "first": pair[0],
        "second": pair[1],
        "mcnemar": None if first is None or second is None else asdict(mcnemar(first, second)),
        "wilcoxon": {
            "higher_first": int((one > other).sum()),
            "higher_second": int((other > one).sum()),
            "p_value": wilcoxon(one, other),
        },
    }


def name_breasts(cases: Cases) -> list[str]:
    """Each pair's breast, a patient's side; a pair of unknown side is a case of its own."""
    sides = [row["laterality"] for row in cases.rows["ffdm"]]
    return [
        f"{patient} {side or f'pair {number}'}"
        for number, (patient, side) in enumerate(zip(cases.patients.of_image, sides, strict=True))
    ]


def deal_patients(patients: Patients, seed: int) -> Int[np.ndarray, " patient"]:
    """Fold of each patient: at random, positive and negative ones dealt out evenly.

    There are ``FOLDS``, or as many as positive patients, so that each fold's threshold has seen
    one; at least one.
    """
    rng = np.random.default_rng(seed)
    count = max(1, min(FOLDS, int(patients.positive.sum())))
    folds = np.zeros(len(patients.positive), int)
    for own in (np.flatnonzero(patients.positive), np.flatnonzero(~patients.positive)):
        folds[rng.permutation(own)] = np.arange(len(own)) % count
    return folds


def _pf1(
    cases: Cases, breasts: list[str], scores: Scores, folds: Int[np.ndarray, " patient"]
) -> Facts:
    """PAPERS.md 0.4: of breasts, each with the mean score of its images; None without a cancer."""
    names, truth, pooled = pool_mean(breasts, cases.positive, scores)
    if not truth.any():
        return dict.fromkeys(PF1_KEYS)
    patient = dict(zip(breasts, cases.patients.of_image, strict=True))
    return asdict(pf1_readings(truth, pooled, folds[[patient[name] for name in names]]))


def _calibration(truth: Truth, scores: Scores) -> Facts:
    curve = reliability(truth, scores, BINS)
    return {
        "ece": expected_calibration_error(curve),
        "brier": brier_score(truth, scores),
        "reliability": [asdict(each) for each in curve],
    }


def _both(truth: Truth) -> bool:
    return bool(truth.any() and not truth.all())
