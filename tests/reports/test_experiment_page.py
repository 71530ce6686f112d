import csv
import json
from pathlib import Path

import pytest

from mgray.config import nest
from mgray.metrics.config import HitConfig
from mgray.reports.experiment import Row
from mgray.reports.experiment_page import HEADER, doses_drawing, verdict, write_report

TITLES = {"full": "Fused (the method)", "second_a": "B is a second A"}
CONFIG = {
    "seeds": 2, "split": "test", "trace": -0.5, "out": "/somewhere/secret",
    "hit": HitConfig().model_dump(),
    **nest({"bootstrap.replicates": 100}),
}  # fmt: skip


def row(arm: str, model: str, dose: float = 1.0, **facts: object) -> Row:
    seen = {f"plus_{shows}": 0.5 for shows in ("both", "ffdm", "sm", "neither")}
    base = {"plus": 0.4, "plus_ci95": (0.3, 0.5), "plus_by_seed": [0.35, 0.45], "all": 0.2}
    told = {"dose": dose, "arm": arm, "model": model, "seeds": ["1", "2"], "similarity": []}
    return {**told, **base, "all_ci95": (0.1, 0.3), **seen, **facts}


def fused(low: float, high: float, arm: str = "full", dose: float = 1.0) -> Row:
    gap = {"gap": 0.5, "gap_ci95": None}
    gain = {"gain": (low + high) / 2, "gain_ci95": (low, high)}
    return row(arm, "fused", dose, **gain, **gap, similarity=[0.5, 0.7])


ROWS = [
    row("full", "sm"),
    fused(0.01, 0.05),
    {**fused(-0.02, 0.02, "second_a"), "full_minus": 0.03, "full_minus_ci95": (0.01, 0.05)},
]


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.01, 0.05), "is above SM"),
        ((-0.1, -0.01), "is below SM"),
        ((-0.1, 0.1), "not told apart"),
    ],
)
def test_the_verdict_says_what_the_interval_says(interval: tuple[float, float], words: str) -> None:
    assert words in verdict([row("full", "sm"), fused(*interval)])


def test_every_row_is_in_every_file(tmp_path: Path) -> None:
    page = write_report(tmp_path, ROWS, TITLES, CONFIG).read_text().replace("<small>", " ")
    text = (tmp_path / "results.md").read_text()
    for words in ("SM", *TITLES.values(), "+0.030 (0.010 to 0.050)", "0.60"):
        assert words in page
        assert words in text
    assert text.splitlines()[0].count("|") == len(HEADER) + 1
    with (tmp_path / "results.csv").open() as file:
        assert [one["model"] for one in csv.DictReader(file)] == ["sm", "fused", "fused"]
    assert len(json.loads((tmp_path / "results.json").read_text())["rows"]) == len(ROWS)


def test_no_path_is_told(tmp_path: Path) -> None:
    write_report(tmp_path, ROWS, TITLES, CONFIG)
    assert all("secret" not in path.read_text() for path in tmp_path.iterdir())


def test_one_dose_makes_no_picture_and_two_do() -> None:
    assert doses_drawing(ROWS) is None
    drawing = doses_drawing([*ROWS, fused(0.0, 0.1, dose=0.5)])
    assert drawing is not None
    assert drawing.svg.startswith("<svg")


def test_a_run_that_found_nothing_to_find_says_so() -> None:
    told = verdict([row("full", "fused", gain=float("nan"), gain_ci95=None)])
    assert told == "Fused and SM cannot be compared: no image has a lesion."


def test_doses_without_a_gap_have_an_empty_picture_of_it() -> None:
    rows = [{**fused(0.0, 0.1, dose=dose), "gap": None} for dose in (0.0, 1.0)]
    drawing = doses_drawing(rows)
    assert drawing
    assert "o-" not in drawing.svg
