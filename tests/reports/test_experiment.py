"""What the experiment reports of models whose finds are known; see conftest's ``FINDS``."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mgray.data.table import ImageTable
from mgray.metrics.config import BootstrapConfig
from mgray.reports.cases import Cases, build_cases
from mgray.reports.experiment import Row, measure
from mgray.schema import PREDICTION

BOOTSTRAP = BootstrapConfig(replicates=200)
MODELS = {
    "1/full/sm": "sm", "2/full/sm": "sm",
    "1/full/fused": "fused", "2/full/fused": "upper_bound",
    "1/full/upper_bound": "upper_bound", "2/full/upper_bound": "upper_bound",
    "1/second_a/fused": "sm", "2/second_a/fused": "sm",
    "1/other_size/sm": "ffdm", "2/other_size/sm": "ffdm",
    "1/other_size/fused": "fused", "2/other_size/fused": "fused",
}  # fmt: skip


def copied(whole: Cases) -> Cases:
    """The same under the names of ``MODELS``."""
    return replace(
        whole,
        kinds={name: whole.kinds[model] for name, model in MODELS.items()},
        images={name: whole.images[model] for name, model in MODELS.items()},
        outcomes={name: whole.outcomes[model] for name, model in MODELS.items()},
    )


@pytest.fixture
def rows(world: object) -> dict[tuple[str, str], Row]:
    """The report's rows by arm and model."""
    found = world.predict(dict.fromkeys(set(MODELS.values())), world.config.data, ["test"])
    table = pa.concat_tables([one for _, one in found])
    whole = build_cases(ImageTable.open(world.config.data), table, "test", world.config.hit)
    assert table.schema.names == PREDICTION.names
    return {(row["arm"], row["model"]): row for row in measure(copied(whole), BOOTSTRAP)}


def test_values_are_means_over_seeds(rows: dict[tuple[str, str], Row]) -> None:
    fused = rows["full", "fused"]
    assert fused["plus_by_seed"] == pytest.approx([3 / 6, 4 / 6])
    assert fused["plus"] == pytest.approx(3.5 / 6)
    low, high = fused["plus_ci95"]
    assert low < fused["plus"] < high


def test_fused_is_compared_with_sm_and_the_upper_bound(rows: dict[tuple[str, str], Row]) -> None:
    fused = rows["full", "fused"]
    assert fused["gain"] == pytest.approx(1.5 / 6)
    assert fused["gap"] == pytest.approx(0.75)
    assert "gain" not in rows["full", "sm"]


def test_an_arm_is_compared_with_the_full_one(rows: dict[tuple[str, str], Row]) -> None:
    arm = rows["second_a", "fused"]
    assert arm["gain"] == pytest.approx(0)
    assert arm["gain_ci95"] == pytest.approx((0, 0))
    assert arm["full_minus"] == pytest.approx(1.5 / 6)
    assert "full_minus" not in rows["full", "fused"]


def test_an_arm_with_an_sm_of_its_own_is_compared_with_that(
    rows: dict[tuple[str, str], Row],
) -> None:
    assert rows["other_size", "sm"]["plus"] == pytest.approx(3 / 6)
    assert rows["other_size", "fused"]["gain"] == pytest.approx(0)


def test_findings_are_told_apart_by_where_they_show(rows: dict[tuple[str, str], Row]) -> None:
    sm = rows["full", "sm"]
    assert sm["plus_ffdm"] == pytest.approx(2 / 6)
    assert (sm["plus_both"], sm["plus_sm"], sm["plus_neither"]) == (None, None, None)


def test_each_finding_of_an_image_counts_where_it_shows(
    world: object, changed_table: Callable[..., Path]
) -> None:
    """The first two pairs hold a second finding, which shows in both and which nobody finds."""

    def add_another(row: dict[str, Any]) -> None:
        if row["pair_key"] in ("test0", "test1"):
            (first,) = row["annotations"]
            box = [x + 25 for x in first["coords"]]
            row["annotations"].append({**first, "finding_id": "g", "coords": box, "visible": True})

    found = world.predict(dict.fromkeys(set(MODELS.values())), world.config.data, ["test"])
    table = pa.concat_tables([one for _, one in found])
    folder = changed_table(add_another)
    whole = build_cases(ImageTable.open(folder), table, "test", world.config.hit)
    by_name = {(row["arm"], row["model"]): row for row in measure(copied(whole), BOOTSTRAP)}
    sm = by_name["full", "sm"]
    assert sm["plus_ffdm"] == pytest.approx(2 / 6)
    assert sm["plus_both"] == 0.0
    assert sm["plus_sm"] is None
