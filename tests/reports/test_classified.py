"""Ten test pairs, six positive, two of each patient in turn; four val pairs, two positive."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mgray.metrics.bootstrap import Patients, group_patients
from mgray.metrics.outcomes import ImageMarks
from mgray.reports.cases import Cases
from mgray.reports.classified import (
    choose_threshold,
    classification,
    deal_patients,
    name_breasts,
)
from mgray.reports.figures import Drawing
from mgray.reports.html import DASH, Page, render
from mgray.reports.summary import strict

VAL = {"sm": (0.6, 0.3, 0.4, 0.1), "fused": (0.7, 0.5, 0.4, 0.1)}
TEST = {
    "sm": (0.9, 0.7, 0.6, 0.5, 0.2, 0.1, 0.8, 0.3, 0.2, 0.0),
    "fused": (0.9, 0.8, 0.6, 0.55, 0.3, 0.2, 0.4, 0.3, 0.1, 0.0),
}
Scores = dict[str, Sequence[float]]


@pytest.fixture
def facts(splits: dict[str, Cases]) -> dict[str, Any]:
    return classified(splits, TEST)


def classified(splits: dict[str, Cases], test: Scores, val: Scores = VAL) -> dict[str, Any]:
    return classification(scored(splits["test"], test), scored(splits["val"], val), seed=0)


def scored(cases: Cases, scores: Scores) -> Cases:
    """The same pairs with one mark each."""
    box = np.zeros((1, 4))
    images = {
        model: [ImageMarks(box[:0], box, np.array([score]), None) for score in own]
        for model, own in scores.items()
    }
    return replace(cases, images=images)


def changed(cases: Cases, **columns: Any) -> Cases:
    """The same pairs with other columns; patients are what they are then."""
    rows = {kind: [row | columns for row in own] for kind, own in cases.rows.items()}
    made = replace(cases, rows=rows)
    ids = [pair.patient_id for pair in cases.pairs]
    return replace(made, patients=group_patients(ids, made.positive))


def test_an_image_is_called_at_the_threshold_of_val(facts: dict[str, Any]) -> None:
    sm = facts["models"]["sm"]
    assert sm["threshold"] == 0.6  # of val; Youden's of test would be 0.5
    counts = [sm[f"{word}_{of}"] for word in ("true", "false") for of in ("positive", "negative")]
    assert counts == [3, 3, 1, 3]
    assert (sm["sensitivity"], sm["specificity"]) == (3 / 6, 3 / 4)
    assert sm["sensitivity_ci95"] == pytest.approx((0.1876, 0.8124), abs=1e-4)
    assert sm["specificity_ci95"] == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert sm["f1"] == pytest.approx(6 / (6 + 1 + 3))
    assert facts["models"]["fused"]["f1"] == pytest.approx(8 / (8 + 0 + 2))


def test_the_reported_split_chooses_no_threshold(splits: dict[str, Cases]) -> None:
    """Other scores with the same answers at val's threshold, but another best one of their own."""
    moved = {**TEST, "sm": (0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.6, 0.5, 0.5, 0.5)}
    before, after = classified(splits, TEST), classified(splits, moved)
    decided = ("threshold", "sensitivity", "specificity", "f1", "true_positive", "false_negative")
    for key in decided:
        assert after["models"]["sm"][key] == before["models"]["sm"][key]
    assert after["comparisons"][0]["mcnemar"] == before["comparisons"][0]["mcnemar"]
    assert after["models"]["sm"]["best_threshold"] != before["models"]["sm"]["best_threshold"]


def test_the_area_under_precision_and_recall_is_the_mean_precision(facts: dict[str, Any]) -> None:
    precisions = [1, 2 / 3, 3 / 4, 4 / 5, 5 / 8, 6 / 9]  # one pair of each class scores 0.2
    assert facts["models"]["sm"]["auprc"] == pytest.approx(sum(precisions) / 6)


def test_pf1_has_its_three_readings(splits: dict[str, Cases], facts: dict[str, Any]) -> None:
    """Of images of unknown side, each on its own. Score 0 is the only one below the grid's 1/99."""
    sm = facts["models"]["sm"]
    assert sm["pf1_soft"] == pytest.approx(2 * 3.0 / (3.0 + 1.3 + 6))
    assert sm["f1_best"] == pytest.approx(12 / (12 + 3))
    assert sm["best_threshold"] == pytest.approx(1 / 99)
    assert (facts["folds"], facts["breasts"], facts["positive_breasts"]) == (3, 10, 6)


def test_the_held_out_threshold_of_pf1_comes_from_other_patients(splits: dict[str, Cases]) -> None:
    own = (0.9, 0.9, 0.3, 0.3, 0.3, 0.3, 0.4, 0.4, 0.0, 0.0)
    cases = scored(splits["test"], {"sm": own})
    assert deal_patients(cases.patients, 0).tolist() == [1, 2, 0, 1, 0]
    sm = classification(cases, scored(splits["val"], VAL), 0)["models"]["sm"]
    # fold 0: patients 0, 1 and 3 score above 0, so 0 is the lowest best threshold: two false calls
    # fold 1: 1/99 parts patients 1 and 2 from patient 4: patient 3 is called falsely, twice
    # fold 2: 1/99 gives 8/10, more than 4/6 above 0.4: patient 1 is found
    assert sm["f1_held_out"] == pytest.approx(12 / (12 + 4))
    assert sm["f1_best"] == pytest.approx(12 / (12 + 2))


def test_a_breast_is_the_mean_of_its_images(splits: dict[str, Cases]) -> None:
    cases = changed(scored(splits["test"], TEST), laterality="L")
    assert name_breasts(cases) == [f"{patient} L" for patient in (0, 0, 1, 1, 2, 2, 3, 3, 4, 4)]
    facts = classification(cases, scored(splits["val"], VAL), 0)
    assert (facts["breasts"], facts["positive_breasts"], facts["images"]) == (5, 3, 10)
    positive, negative = 0.8 + 0.55 + 0.15, 0.55 + 0.1
    expected = 2 * positive / (positive + negative + 3)
    assert facts["models"]["sm"]["pf1_soft"] == pytest.approx(expected)


def test_calibration_is_measured_in_bins_and_as_a_mean_square(splits: dict[str, Cases]) -> None:
    scores = (0.75, 0.75, 0.75, 0.75, 0.25, 0.25, 0.75, 0.25, 0.25, 0.25)
    sm = classified(splits, {"sm": scores})["models"]["sm"]
    told = [(each["cases"], each["predicted"], each["observed"]) for each in sm["reliability"]]
    assert told == [(5, 0.25, 2 / 5), (5, 0.75, 4 / 5)]
    assert sm["ece"] == pytest.approx((5 * 0.15 + 5 * 0.05) / 10)
    assert sm["brier"] == pytest.approx((7 * 0.25**2 + 3 * 0.75**2) / 10)


def test_mcnemar_compares_who_is_right_at_the_models_own_thresholds(facts: dict[str, Any]) -> None:
    one = facts["comparisons"][0]
    assert (one["first"], one["second"]) == ("fused", "sm")
    told = {"only_first": 2, "only_second": 0, "p_value": 2 * (1 / 2) ** 2}  # pairs 3 and 6
    assert one["mcnemar"] == pytest.approx(told)


def test_wilcoxon_compares_scores_by_the_rank_of_their_difference(splits: dict[str, Cases]) -> None:
    sm = np.arange(1, 11) / 16
    shift = np.array([-1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) / 64
    one = classified(splits, {"sm": sm, "fused": sm + shift})["comparisons"][0]
    told = {"higher_first": 9, "higher_second": 1, "p_value": 2 * 2 / 2**10}  # rank sum 0 or 1
    assert one["wilcoxon"] == pytest.approx(told)


def test_the_pairs_compared_are_those_of_the_run(splits: dict[str, Cases]) -> None:
    assert classified(splits, {"sm": TEST["sm"]})["comparisons"] == []
    three, val = ({**own, "upper_bound": own["fused"]} for own in (TEST, VAL))
    last = classified(splits, three, val)["comparisons"][-1]
    assert (last["first"], last["second"]) == ("upper_bound", "fused")
    assert last["mcnemar"]["p_value"] == last["wilcoxon"]["p_value"] == 1


def test_without_both_classes_on_val_nothing_is_called(splits: dict[str, Cases]) -> None:
    val = changed(splits["val"], annotations=[])
    facts = classified({**splits, "val": val}, TEST)
    sm = facts["models"]["sm"]
    undecided = ("threshold", "sensitivity", "sensitivity_ci95", "specificity", "f1")
    assert [sm[key] for key in undecided] == [None] * 5
    assert facts["comparisons"][0]["mcnemar"] is None
    assert facts["comparisons"][0]["wilcoxon"]["p_value"] > 0
    assert sm["auprc"] > 0


def test_a_threshold_no_better_than_chance_is_none(splits: dict[str, Cases]) -> None:
    upside_down = scored(splits["val"], {"sm": (0.1, 0.2, 0.8, 0.9)})
    assert choose_threshold(upside_down, "sm") is None


def test_without_a_positive_image_only_what_has_a_meaning_is_told(
    splits: dict[str, Cases],
) -> None:
    facts = classified({**splits, "test": changed(splits["test"], annotations=[])}, TEST)
    sm = facts["models"]["sm"]
    unknown = ("auprc", "sensitivity", "sensitivity_ci95", "f1", "pf1_soft", "f1_held_out")
    assert [sm[key] for key in unknown] == [None] * 6
    assert sm["specificity"] == 6 / 10  # 0.9, 0.8, 0.7 and 0.6 are called
    assert sm["brier"] == pytest.approx(np.mean(np.square(TEST["sm"])))


def test_patients_are_dealt_evenly_by_class() -> None:
    patients = Patients(np.arange(30), np.arange(30) < 9)
    folds = deal_patients(patients, 3)
    assert sorted(np.bincount(folds[:9])) == [2, 2, 2, 3]
    assert sorted(np.bincount(folds[9:])) == [5, 5, 5, 6]
    assert folds.tolist() == deal_patients(patients, 3).tolist()
    assert folds.tolist() != deal_patients(patients, 4).tolist()


def test_one_positive_patient_holds_nothing_out(splits: dict[str, Cases]) -> None:
    val = scored(splits["val"], VAL)
    facts = classification(val, val, 0)
    assert facts["folds"] == 1
    assert facts["models"]["sm"]["f1_best"] > 0
    assert facts["models"]["sm"]["f1_held_out"] is None


def test_the_page_prints_the_section_and_a_dash_for_what_is_unknown(
    evaluated: Any, splits: dict[str, Cases]
) -> None:
    report = json.loads((evaluated.config.out / "report.json").read_text())
    text = (evaluated.config.out / "report.html").read_text()
    assert text.count("ROC AUC") == 1
    for words in ("Classification of images", "McNemar", "Reliability in 10 bins"):
        assert words in text
    val = changed(splits["val"], annotations=[])
    unknown = strict(classified({**splits, "val": val}, TEST))
    models = {name: report["models"][name] for name in TEST}
    drawing = Drawing("<svg></svg>", "")
    facts = {**report, "classification": unknown, "models": models}
    text = render(Page(facts, drawing, drawing, None, None, []))
    assert f"threshold (McNemar)</td>{4 * f'<td>{DASH}</td>'}" in text
