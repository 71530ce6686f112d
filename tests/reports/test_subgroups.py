import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mgray.data.table import ImageTable
from mgray.reports.cases import build_cases
from mgray.reports.html import subgroups
from mgray.reports.predictions import collect_predictions
from mgray.reports.subgroups import TITLES, subgroup_tables


@pytest.fixture
def tables(world: Any, changed_table: Callable[..., Path]) -> dict[str, Any]:
    """Of the model ``sm``, which finds lesions 0 and 3 of six; odd pairs are of another vendor."""

    def change(row: dict[str, Any]) -> None:
        number = int(row["pair_key"].removeprefix(row["split"]))
        row["manufacturer"] = "GE" if number % 2 else "HOLOGIC"
        row["age"] = 45.0 if number < 3 else None
        row["imager_pixel_spacing_mm"] = [0.5, 0.1] if number < 2 else None

    folder = changed_table(change)
    predictions = collect_predictions(world.config, world.predict)
    cases = build_cases(ImageTable.open(folder), predictions, "test", world.config.hit)
    return subgroup_tables(cases, "sm", 0.8)


def test_images_are_grouped_by_what_the_table_says(tables: dict[str, Any]) -> None:
    vendors = tables["vendor"]
    assert {
        name: (row["images"], row["lesions"], row["found"]) for name, row in vendors.items()
    } == {
        "GE": (5, 3, 1),
        "HOLOGIC": (5, 3, 1),
    }
    assert vendors["GE"]["fppi"] == pytest.approx(1 / 5)  # the mark of 0.8 on pair 7
    assert set(tables["age"]) == {"40-50 years", "unknown"}
    assert tables["density"]["b"]["auc"] == pytest.approx((2 * 1 + 4 * 0.375) / 6)


def test_lesions_are_grouped_by_their_type_and_longest_side(tables: dict[str, Any]) -> None:
    assert tables["lesion_type"]["mass"]["lesions"] == 6
    sizes = {name: row["lesions"] for name, row in tables["lesion_size"].items()}
    assert sizes == {"<10 mm": 2, "unknown": 4}  # 12 x 12 pixels of 0.5 x 0.1 mm


def test_an_axis_of_which_nothing_is_known_is_left_out(tables: dict[str, Any]) -> None:
    assert "view" not in tables
    assert set(tables) <= set(TITLES)


def test_density_and_age_told_of_one_image_are_of_both(
    world: Any, changed_table: Callable[..., Path]
) -> None:
    def tell_ffdm_alone(row: dict[str, Any]) -> None:
        own = row["image_kind"] == "ffdm"
        row["density"], row["age"] = ("b", 55.0) if own else (None, None)
        row["manufacturer"] = "GE" if own else "HOLOGIC"

    folder = changed_table(tell_ffdm_alone)
    predictions = collect_predictions(world.config, world.predict)
    cases = build_cases(ImageTable.open(folder), predictions, "test", world.config.hit)
    vendors = {"ffdm": "GE", "sm": "HOLOGIC"}
    for model, vendor in vendors.items():
        tables = subgroup_tables(cases, model, 0.8)
        names = {axis: list(tables[axis]) for axis in ("density", "age", "vendor")}
        assert names == {"density": ["b"], "age": ["50-60 years"], "vendor": [vendor]}


def test_the_report_shows_every_axis_it_holds(evaluated: Any) -> None:
    models = json.loads((evaluated.config.out / "report.json").read_text())["models"]
    shown = subgroups(models)
    assert list(shown) == ["Breast density", "Site", "Lesion type"]
    assert set(shown["Breast density"]["b"]) == set(models)
    page = (evaluated.config.out / "report.html").read_text()
    assert "Lesion sensitivity by subgroup" in page
    assert "ROC AUC of the highest malignant mark" in page
