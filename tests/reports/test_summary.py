import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgray.config import replace
from mgray.data.table import ImageTable
from mgray.reports.cases import Cases, build_cases
from mgray.reports.predictions import collect_predictions
from mgray.reports.summary import (
    bucket_members,
    complementarity,
    operating_facts,
    strict,
    summarise_split,
    thresholds,
    verdict,
)

EXPECTED = {"untrained": 0, "sm": 1 / 3, "ffdm": 1 / 2, "fused": 1 / 2, "upper_bound": 2 / 3}


@pytest.fixture
def limits(splits: dict[str, Cases], world: object) -> dict[str, float]:
    return thresholds(splits["val"], world.config)


def test_thresholds_come_from_validation(limits: dict[str, float]) -> None:
    assert limits == {
        "untrained": np.nextafter(0.1, 1),
        "sm": 0.8,
        "ffdm": 0.8,
        "fused": 0.9,
        "upper_bound": 0.9,
    }


def test_positive_validation_images_can_give_the_threshold(
    splits: dict[str, Cases], world: object
) -> None:
    config = replace(world.config, {"froc.operating_images": "positive"})
    assert thresholds(splits["val"], config)["sm"] == 0.9


def test_fewer_false_positives_take_a_higher_threshold(
    splits: dict[str, Cases], world: object
) -> None:
    found = {fppi: thresholds(splits["val"], world.config, fppi)["sm"] for fppi in (0.2, 0.25)}
    assert found == {0.2: 0.9, 0.25: 0.8}


def test_every_model_gets_its_known_area(splits: dict[str, Cases], world: object) -> None:
    models = summarise_split(splits["test"], world.config)["models"]
    assert {m: facts["fauc_1"] for m, facts in models.items()} == pytest.approx(EXPECTED)
    assert {m: facts["fauc_1_plus"] for m, facts in models.items()} == pytest.approx(EXPECTED)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_hold_the_value(splits: dict[str, Cases], world: object, method: str) -> None:
    config = replace(world.config, {"bootstrap.method": method})
    facts = summarise_split(splits["test"], config)["models"]["sm"]
    low, high = facts["fauc_1_ci95"]
    assert low < facts["fauc_1"] <= high


def test_half_the_gap_is_closed(splits: dict[str, Cases], world: object) -> None:
    facts = summarise_split(splits["test"], world.config)
    assert facts["gap_closed"] == pytest.approx(0.5)
    assert facts["gap_closed_undefined_share"] >= 0


def test_without_replicates_there_are_values_but_no_intervals(
    splits: dict[str, Cases], world: object
) -> None:
    facts = summarise_split(splits["test"], replace(world.config, {"bootstrap.replicates": 0}))
    assert facts["models"]["sm"]["fauc_1"] == pytest.approx(1 / 3)
    assert facts["models"]["sm"]["fauc_1_ci95"] is None


def test_differences_are_of_the_same_patients(splits: dict[str, Cases], world: object) -> None:
    rows = summarise_split(splits["test"], world.config)["differences"]
    found = {(row["name"], row["form"]): row for row in rows}
    assert found["fused_minus_sm", "fauc_1"]["value"] == pytest.approx(1 / 6)
    low, high = found["upper_bound_minus_fused", "fauc_1"]["ci95"]
    assert 0 <= low <= high  # the upper bound finds whatever fused finds


def test_false_positives_are_told_apart_by_healthy_and_positive_images(
    splits: dict[str, Cases], limits: dict[str, float]
) -> None:
    facts = operating_facts(splits["test"], limits)["sm"]
    assert facts["fppi_healthy"] == pytest.approx(0.25)
    assert facts["fppi_positive"] == 0
    assert facts["sensitivity_at_threshold"] == pytest.approx(1 / 3)
    assert facts["sensitivity_by_visibility"]["ffdm"]["lesions"] == 6


def test_buckets_hold_the_known_pairs(splits: dict[str, Cases], limits: dict[str, float]) -> None:
    members = bucket_members(splits["test"], limits)
    assert {name: pairs.tolist() for name, pairs in members.items()} == {
        "missed_in_ffdm_only": [3],
        "missed_in_sm_only": [1, 2],
        "false_in_ffdm_only": [6],
        "false_in_sm_only": [7],
    }


def test_the_outcome_table_adds_up_to_the_positive_pairs(
    splits: dict[str, Cases], limits: dict[str, float]
) -> None:
    facts = complementarity(splits["test"], limits)
    assert sum(facts["outcomes"].values()) == facts["positive_pairs"] == 6
    assert facts["outcome_sums"]["recovered_found_by_ffdm"] == 1
    assert facts["annotated_in_one_image_only"] == 0


def test_strict_values_survive_strict_json() -> None:
    messy = {"a": np.float64("nan"), "b": (np.int64(3), float("inf")), "c": np.array([1.5])}
    assert json.loads(json.dumps(strict(messy), allow_nan=False)) == {
        "a": None,
        "b": [3, None],
        "c": [1.5],
    }


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.01, 0.2), "beats SM: +0.100"),
        ((-0.2, -0.01), "is worse than SM"),
        ((-0.01, 0.2), "cannot be told apart from SM"),
        (None, "without an interval"),
    ],
)
def test_the_verdict_follows_the_interval(interval: object, words: str) -> None:
    difference = {"name": "fused_minus_sm", "form": "fauc_1", "value": 0.1, "ci95": interval}
    assert words in verdict({"differences": [difference]})


def test_the_verdict_says_when_nothing_was_compared() -> None:
    assert "not compared" in verdict({"differences": []})


def test_image_level_areas_count_images_not_lesions(
    splits: dict[str, Cases], world: object
) -> None:
    facts = summarise_split(splits["test"], world.config)["models"]["ffdm"]
    assert facts["fauc_1_images"] == pytest.approx(1 / 2)  # one lesion an image: the same here
    assert facts["max_fpi"] == pytest.approx(2.1)
    assert facts["lesions"] == 6


def test_the_gap_on_positive_images_is_reported_too(
    splits: dict[str, Cases], world: object
) -> None:
    facts = summarise_split(splits["test"], world.config)
    assert facts["gap_closed_plus"] == pytest.approx(0.5)
    assert "gap_closed_plus_ci95" in facts


def test_the_same_seed_gives_the_same_intervals(splits: dict[str, Cases], world: object) -> None:
    def interval(seed: int) -> object:
        config = replace(world.config, {"bootstrap.seed": seed, "bootstrap.replicates": 50})
        return summarise_split(splits["test"], config)["models"]["sm"]["fauc_1_plus_ci95"]

    assert interval(1) == interval(1)


def test_a_model_without_a_false_positive_at_its_threshold_has_none_anywhere(
    splits: dict[str, Cases], limits: dict[str, float]
) -> None:
    facts = operating_facts(splits["test"], limits)["upper_bound"]
    assert (facts["fppi_at_threshold"], facts["fppi_healthy"], facts["fppi_positive"]) == (0, 0, 0)
    assert facts["image_sensitivity_at_threshold"] == pytest.approx(4 / 6)


def test_without_ffdm_there_are_no_buckets(splits: dict[str, Cases], world: object) -> None:
    predictions = collect_predictions(replace(world.config, {"models": ["sm"]}), world.predict)
    table = ImageTable.open(world.config.data)
    cases = build_cases(table, predictions, "test", world.config.hit)
    assert complementarity(cases, {"sm": 0.5}) is None
    assert bucket_members(cases, {"sm": 0.5}) == {}


def test_without_fused_there_are_buckets_but_no_outcome_table(world: object) -> None:
    config = replace(world.config, {"models": ["sm", "ffdm"]})
    table = ImageTable.open(config.data)
    cases = build_cases(table, collect_predictions(config, world.predict), "test", config.hit)
    facts = complementarity(cases, {"sm": 0.5, "ffdm": 0.5})
    assert facts["buckets"]["missed_in_sm_only"] == 2
    assert "outcomes" not in facts


def test_the_interpolation_reaches_the_areas(splits: dict[str, Cases], world: object) -> None:
    step = replace(world.config, {"froc.interpolation": "exact_step"})
    models = summarise_split(splits["test"], step)["models"]
    assert models["sm"]["fauc_1"] == pytest.approx(1 / 3)
    assert models["sm"]["max_fpi"] == pytest.approx(2.1)


def test_the_area_under_the_roc_curve_is_that_of_the_highest_marks(
    splits: dict[str, Cases], world: object
) -> None:
    facts = summarise_split(splits["test"], world.config)
    sm = facts["models"]["sm"]
    # two of six positive pairs score 0.9, one of four healthy ones 0.8, all others 0.1
    assert sm["auc"] == pytest.approx((2 * 1 + 4 * (3 / 4) / 2) / 6)
    low, high = sm["auc_delong_ci95"]
    assert low < sm["auc"] < high
    assert 0 < facts["auc_delong_p"]["fused_minus_sm"] <= 1
    assert "auc" in {one["form"] for one in facts["differences"]}
    assert "gap_closed_auc" not in facts


def test_a_split_without_a_lesion_has_no_comparison(world: object) -> None:
    difference = {"name": "fused_minus_sm", "form": "fauc_1", "value": float("nan"), "ci95": None}
    assert "no image has a lesion" in verdict(strict({"differences": [difference]}))


def test_one_positive_patient_is_no_interval_and_no_victory(
    world: object, changed_table: Callable[..., Path]
) -> None:
    def one_patient(row: dict[str, Any]) -> None:
        if row["annotations"]:
            row["patient_id"] = f"{row['split']} positive"

    config = replace(world.config, {"data": changed_table(one_patient)})
    found = collect_predictions(config, world.predict)
    cases = build_cases(ImageTable.open(config.data), found, "test", config.hit)
    facts = summarise_split(cases, config)
    assert facts["models"]["sm"]["fauc_1_ci95"] is None
    assert "without an interval" in verdict(facts)


def test_findings_that_are_drawn_on_one_image_are_counted(
    world: object, drawn_on_ffdm: Path
) -> None:
    config = replace(world.config, {"data": drawn_on_ffdm})
    found = collect_predictions(config, world.predict)
    table = ImageTable.open(config.data)
    val, test = (build_cases(table, found, split, config.hit) for split in ("val", "test"))
    assert complementarity(test, thresholds(val, config))["annotated_in_one_image_only"] == 6
