import json
from dataclasses import replace

import pytest

from mgray.reports.figures import Drawing
from mgray.reports.gallery import Gallery, Picture
from mgray.reports.html import Page, gap, interval, number, p_value, render, share, signed, table_2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number(None), "\N{EN DASH}"),
        (number(0.12345), "0.123"),
        (p_value(None), "\N{EN DASH}"),
        (p_value(0.0625), "0.062"),
        (p_value(1e-9), "< 0.001"),
        (signed(-0.5), "\N{MINUS SIGN}0.500"),
        (signed(0.5), "+0.500"),
        (interval(None), ""),
        (interval([-0.1, 0.2]), "(\N{MINUS SIGN}0.100 to 0.200)"),
        (share(0.634), "63 %"),
        (share(None), "\N{EN DASH}"),
    ],
)
def test_numbers_are_written_for_people(text: str, expected: str) -> None:
    assert text == expected


def test_the_table_puts_the_paper_beside_each_column() -> None:
    own = {"fauc_1": 0.5, "fauc_1_ci95": [0.4, 0.6], "val": {"fauc_1_plus": 0.7}}
    row = table_2({"split": "test", "models": {"sm": own}})["sm"]
    assert (row["test"]["value"], row["test"]["ci95"]) == (0.5, [0.4, 0.6])
    assert row["val_plus"]["value"] == 0.7
    assert row["test"]["paper"].value == 0.515


def test_a_report_on_validation_leaves_the_test_columns_empty() -> None:
    own = {"fauc_1": 0.5, "val": {"fauc_1": 0.5}}
    row = table_2({"split": "val", "models": {"untrained": own}})["untrained"]
    assert row["test"]["value"] is None
    assert row["val"]["value"] == 0.5
    assert row["val"]["paper"] is None


@pytest.mark.parametrize(
    ("value", "pair", "undefined", "words"),
    [
        (0.5, [0.2, 0.9], 0.0, "(20 % to 90 %)"),
        (0.5, None, 0.3, "no finite interval"),
        (None, None, 0.9, "upper bound not above SM"),
        (None, None, None, ""),
    ],
)
def test_the_gap_says_why_it_has_no_interval(
    value: float | None, pair: list[float] | None, undefined: float | None, words: str
) -> None:
    facts = {
        "split": "test",
        "gap_closed": value,
        "gap_closed_ci95": pair,
        "gap_closed_undefined_share": undefined,
    }
    assert gap(facts, "test") == {"value": value, "words": words}


@pytest.fixture
def page(evaluated: object) -> Page:
    """The evaluated run's facts, with the smallest figures."""
    facts = json.loads((evaluated.config.out / "report.json").read_text())
    froc, reliability = (Drawing("<svg></svg>", f"{what} caption") for what in ("froc", "bins"))
    return Page(facts, froc, reliability, None, None, [])


def test_a_page_without_optional_parts_says_so(page: Page) -> None:
    facts = {**page.facts, "alignment": {"pairs": 0, "failed": 0}}
    text = render(replace(page, facts=facts))
    assert "The run folder holds no metrics." in text
    assert "No endpoint has been asked yet." in text
    assert "Are the pairs aligned?" not in text
    assert "<h2>Pictures</h2>" not in text


def test_pairs_without_a_breast_are_told(page: Page) -> None:
    facts = {**page.facts, "alignment": {"pairs": 0, "failed": 3}}
    text = render(replace(page, facts=facts))
    assert "No breast was found in any of 3 pairs." in text


def test_each_model_says_of_how_many_lesions_its_share_is(page: Page) -> None:
    sizes = {
        model: {**own["subgroups"], "lesion_size": {"10-20 mm": {
            "lesions": count, "found": 1, "sensitivity": 1 / count, "sensitivity_ci95": None}}}
        for (model, own), count in zip(page.facts["models"].items(), range(3, 9), strict=False)
    }  # fmt: skip
    models = {
        model: {**own, "subgroups": sizes[model]} for model, own in page.facts["models"].items()
    }
    text = render(replace(page, facts={**page.facts, "models": models}))
    assert "0.33<small>of 3 </small>" in text
    assert "0.25<small>of 4 </small>" in text


def test_without_resamples_no_interval_is_spoken_of(page: Page) -> None:
    told = {**page.facts["config"], "bootstrap": {"replicates": 0}}
    assert "patient resamples" not in render(replace(page, facts={**page.facts, "config": told}))


def test_an_empty_bucket_says_none(page: Page) -> None:
    text = render(replace(page, galleries=[Gallery("Missed in SM only", 0, [])]))
    assert "Missed in SM only · 0 pairs" in text
    assert '<p class="empty">None.</p>' in text


def test_words_from_data_are_escaped(page: Page) -> None:
    picture = Picture(("<svg></svg>", "<svg></svg>"), "<script>alert(1)</script>")
    text = render(replace(page, galleries=[Gallery("Bucket", 1, [picture])]))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_a_served_answer_shows_its_latency(page: Page) -> None:
    images = [{"detections": [], "timing_ms": {"decode": 64, "detect": 511}}]
    answer = {"images": images, "thresholds": {}}
    facts = {**page.facts, "served": [{"what": "film", "seconds": 0.58, "answer": answer}]}
    text = render(replace(page, facts=facts))
    assert "<td>0.58 s</td><td>64 ms</td><td>511 ms</td>" in text


def test_a_served_answer_without_a_threshold_has_a_dash(page: Page) -> None:
    answer = {"images": [{"detections": []}], "thresholds": {}}
    facts = {**page.facts, "served": [{"what": "film", "seconds": 1.0, "answer": answer}]}
    text = render(replace(page, facts=facts))
    assert "<td>film</td><td>0</td><td>\N{EN DASH}</td>" in text


def test_the_page_names_every_model_and_setting(page: Page) -> None:
    text = render(page)
    for words in (
        "Untrained",
        "Upper bound",
        "bootstrap.replicates",
        "hit.profile",
        "froc caption",
    ):
        assert words in text


def test_the_eight_outcomes_are_a_table(page: Page) -> None:
    text = render(page)
    assert text.count(">missed</td>") == text.count(">found</td>") == 12
