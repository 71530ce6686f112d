"""Tests of reports.search: the page of a search and its figures."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mgray.reports.search import SearchPage, render, verdict
from mgray.reports.search_figures import collect_found, parallel_drawing, surface_drawing

KEYS = ["loss.alpha_positive", "loss.gamma_negative", "optimizer.learning_rate"]
RATE = frozenset({KEYS[2]})
BEST = (0.7, 2.0, 2e-4)


def row(number: int, end: str, sample: tuple[float, float, float], steps: int) -> dict[str, Any]:
    far = (sample[0] - BEST[0]) ** 2 + (sample[1] - BEST[1]) ** 2 / 25
    value = 0.6 - far - np.log10(sample[2] / BEST[2]) ** 2 / 4
    told = {"fauc_1_plus": value, "fauc_1_plus_low": value - 0.03, "fauc_1_plus_high": value + 0.03}
    measured = told if end != "failed" else dict.fromkeys(told)
    about = {"trial": number, "end": end, "steps": steps, "error": ""}
    return about | dict(zip(KEYS, sample, strict=True)) | measured


@pytest.fixture
def page() -> SearchPage:
    """Twenty trials to the end, five stopped early, one that failed."""
    random = np.random.default_rng(0)
    ends = ["done"] * 20 + ["stopped"] * 5 + ["failed"]
    drawn = [
        (random.uniform(0.1, 0.95), random.uniform(0, 5), 10 ** random.uniform(-5, -3))
        for _ in ends
    ]
    rows = [
        row(number, end, sample, {"done": 27, "stopped": 3, "failed": 0}[end])
        for number, (end, sample) in enumerate(zip(ends, drawn, strict=True))
    ]
    rows[:20] = sorted(rows[:20], key=lambda one: -one["fauc_1_plus"])
    rows[25]["error"] = "the loss is nan <at> step 3"
    return SearchPage(rows, KEYS, RATE, "fauc_1_plus", 2, 27, 750, {"reduction": 3.0, "seed": 0})


def test_the_page_loads_nothing(page):
    text = render(page)
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", text)
    assert "<script" not in text


def test_the_page_tells_cost_and_ends(page):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render(page)))
    assert "Trained to the end 20 of 26 trials" in text
    assert "Stopped early 5 1 failed" in text
    assert "Steps trained 555 79 % of all trials in full; 3 % of the paper" in text


def test_what_a_trial_said_is_text_not_markup(page):
    assert "&lt;at&gt;" in render(page)


def test_a_trial_s_error_names_no_folder(page):
    said = "no image table in '/home/ward/anna_smith/table': run python -m jobs.ingest"
    page.rows[-1]["error"] = said
    assert "anna_smith" not in render(page)
    assert "no image table in" in render(page)


def test_the_page_has_all_three_figures(page):
    assert render(page).count("<figcaption>") == 3


def test_the_verdict_says_how_many_cannot_be_told_from_the_best(page):
    assert "2 of 19 other finished trials cannot be told from it" in verdict(page)
    assert "intervals of all 19 other" in verdict(replace(page, rivals=0))


def test_the_verdict_of_a_search_without_a_finished_trial(page):
    assert verdict(replace(page, rows=page.rows[20:])).startswith("No trial was trained to the end")


def test_a_page_of_failures_only_is_still_a_page(page):
    assert "No trial was trained to the end" in render(replace(page, rows=page.rows[25:]))


def test_the_surface_is_highest_near_the_best_setting(page):
    found = collect_found(page.rows, KEYS, RATE, "fauc_1_plus")
    assert surface_drawing(found) is not None
    assert found.places.min() == 0
    assert found.places.max() == 1
    assert found.values[0] == found.values[found.whole].max()


def test_two_points_have_lines_but_no_surface(page):
    found = collect_found(page.rows[:2], KEYS, RATE, "fauc_1_plus")
    assert surface_drawing(found) is None
    assert parallel_drawing(found).svg.startswith("<svg")


def test_equal_pages_have_equal_bytes(page):
    assert render(page) == render(page)
