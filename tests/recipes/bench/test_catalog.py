from pathlib import Path

import pyarrow.compute as pc
import pytest

from mgray.data.pairs import build_pairs
from mgray.data.table import ImageTable
from mgray.recipes.bench.catalog import (
    measure_catalog,
    read_bare,
    read_pairs,
    read_rows,
    write_archive,
)
from mgray.recipes.bench.config import BenchConfig
from mgray.sources.csv_table import CsvSource

PAIRS = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("work") / "catalog"
    write_archive(made, PAIRS, seed=1)
    return made


def test_all_ways_find_the_same_pairs(folder: Path) -> None:
    assert read_pairs(folder) == read_bare(folder) == read_rows(folder) // 2 == PAIRS


def test_catalogue_and_index_say_the_same(folder: Path) -> None:
    rows = {row.path: row.labels for row in CsvSource().catalog(folder).rows}
    table = ImageTable.open(folder)
    assert len(rows) == len(table) == 2 * PAIRS
    malignant = {labels["exam_id"] for labels in rows.values() if labels.get("annotations")}
    held = table.index.filter(pc.equal(table.index["cancer"], 1))["exam_id"].to_pylist()
    assert set(held) == malignant != set()


def test_pairs_with_a_malignant_box_are_as_rare_as_told(folder: Path) -> None:
    positive = [pair for pair in build_pairs(ImageTable.open(folder)) if pair.malignant]
    assert all(pair.drawn == {"sm", "ffdm"} for pair in positive)
    assert 0 < len(positive) < 0.01 * PAIRS


def test_time_and_memory_are_told_beside_their_goals(tmp_path: Path) -> None:
    measured = measure_catalog(BenchConfig(pairs=40), tmp_path)
    (found,) = measured.comparisons
    assert found.goal == 60
    assert min(*found.ours, *found.bare) > 0
    assert 20 * 2**20 < measured.peaks["catalog"] < 2**30
    assert measured.notes[0].endswith("goal 4 GB met")
