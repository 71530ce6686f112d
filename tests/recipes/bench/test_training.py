from pathlib import Path

import pytest

from mgray.config import parse_overrides, replace
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.training import STAGE, WARM, step_times, training_words
from mgray.recipes.catalog import load_recipe
from mgray.recipes.fusion import FusionRun, smoke
from mgray.training.journal import read_rows


@pytest.fixture(scope="module")
def tiny(phantom_table: Path, tmp_path_factory: pytest.TempPathFactory) -> FusionRun:
    """Twelve steps on images of 128x128."""
    changes = {
        "data": phantom_table, "out": tmp_path_factory.mktemp("run"), "detector.weights": "none",
        "batches.global_batch_size": 2, "batches.preprocess.net_height": 128,
        "batches.preprocess.net_width": 128, f"train.steps.{STAGE}": WARM + 8,
    }  # fmt: skip
    return replace(smoke(), changes)


@pytest.fixture(scope="module")
def seconds(tiny: FusionRun) -> tuple[float, float, float]:
    return step_times(tiny, tiny.out / "log")


@pytest.mark.ray
def test_all_loops_are_timed_and_take_times_of_one_size(
    seconds: tuple[float, float, float],
) -> None:
    assert 0 < max(seconds) < 20 * min(seconds)


@pytest.mark.ray
def test_the_real_loop_is_timed_by_its_own_rows_after_the_first(
    tiny: FusionRun, seconds: tuple[float, float, float]
) -> None:
    on_ray = tiny.out.with_name(f"{tiny.out.name}_ray")
    for out, found in zip((tiny.out, on_ray), seconds[:2], strict=True):
        rows = read_rows(out / "stages" / STAGE / "metrics.jsonl")
        timed = [row for row in rows if "images_per_s" in row]
        assert [row["step"] for row in timed] == [WARM, WARM + 4, WARM + 8]
        slow, fast = sorted(2 / row["images_per_s"] for row in timed[1:])[::-1]
        assert fast <= found <= slow
    assert load_recipe(str(on_ray / "config.resolved.yaml"), {}).train.workers == 1


def test_the_watched_job_trains_one_stage_without_ray_and_saves_all(tmp_path: Path) -> None:
    words = training_words(BenchConfig(seed=9), tmp_path)
    assert words[:2] == ["jobs.train", "fusion.smoke"]
    run = load_recipe(words[1], parse_overrides(words[2:]))
    assert run.train.steps == {
        "sm": WARM, "ffdm": 0, "student": 0, "fused": 0, "upper_bound": 0
    }  # fmt: skip
    assert (run.train.workers, run.seed) == (0, 9)
    assert (run.data, run.out) == (tmp_path / "table", tmp_path / "train")
