from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgray.data.table import ImageTable
from mgray.recipes.bench import sampling
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.sampling import Late, measure_batches, measure_sampler
from tests.recipes.bench.test_reader import table_of


@pytest.fixture
def table(tmp_path: Path, finish_table: Any) -> Path:
    """Four pairs of noise; one is positive."""
    noise = np.random.default_rng(0).integers(0, 4096, (80, 60))
    rows = [
        (f"{number}/{role}", noise, {
            "pair_key": f"k{number}", "pair_role": role, "image_kind": role, "split": "train",
            "cancer": int(number == 0), "patient_id": f"p{number}", "pixels_face": "right",
        })
        for number in range(4) for role in ("ffdm", "synthetic_2d")
    ]  # fmt: skip
    return table_of(tmp_path, rows, finish_table)


def test_every_mode_is_laid_out_and_its_memory_told() -> None:
    found = measure_sampler(BenchConfig(pairs=20_000, repeats=2))
    (told,) = found.comparisons
    assert told.what == "order of an epoch of 20000 pairs, slowest mode"
    assert len(told.ours) == len(told.bare) == 2
    assert told.is_met()
    assert found.notes[0].endswith("goal 200 MB met")


def test_the_memory_told_is_at_least_that_of_the_order() -> None:
    positive = np.arange(100_000) < 100
    assert 800_000 <= sampling._bytes(positive, "uniform") < 8_000_000


def test_batches_from_far_away_are_compared_with_near_ones(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "STEPS", 1)
    (found,) = measure_batches(BenchConfig(repeats=1), table).comparisons
    assert found.what == "batches of 1024 x 768, read 20 ms away against warm"
    assert found.is_rate
    assert min(*found.ours, *found.bare) > 0


def test_late_storage_answers_the_same_after_a_while(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(sampling.time, "sleep", waited.append)
    near = ImageTable.open(table).storage
    far = Late(near, 0.5)
    assert far.sizes("images") == near.sizes("images")
    assert far.read("manifest.json") == near.read("manifest.json")
    assert far.read_at("manifest.json", 3, 5) == near.read_at("manifest.json", 3, 5)
    assert waited == [0.5, 0.5, 0.5]
