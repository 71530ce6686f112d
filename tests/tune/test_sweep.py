"""Tests of tune.sweep: a real two-point search, its table, its resume, its errors."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mgray.config import parse_overrides, replace
from mgray.errors import ConfigError
from tune.config import SweepConfig

ROOT = Path(__file__).parents[2]
TINY = [
    "train.workers=1", "train.cpus_per_worker=0.5", "train.steps.sm=2", "detector.weights=none",
    "batches.preprocess.net_height=128", "batches.preprocess.net_width=128",
    "batches.global_batch_size=2",
]  # fmt: skip


def sweep(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tune.sweep", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def searched(ray_cluster, phantom_table, tmp_path_factory):
    """A finished search of two trials and its table."""
    from tune.trials import search

    config = SweepConfig(
        recipe="fusion.smoke",
        space="two_point",
        data=phantom_table,
        out=tmp_path_factory.mktemp("s"),
    )
    return config, search(config, parse_overrides(TINY))


@pytest.mark.ray
@pytest.mark.slow
def test_both_points_are_trained_and_judged(searched):
    _, table = searched
    assert sorted(table["loss.alpha_positive"]) == [0.25, 0.9]
    assert table["fauc_1_plus"].between(0, 1).all()
    assert (table["error"] == "").all()


@pytest.mark.ray
@pytest.mark.slow
def test_each_trial_is_a_train_run_of_its_own(searched):
    config, _ = searched
    runs = list((config.out / "trials").glob("*/models/sm/model.safetensors"))
    assert len(runs) == 2


@pytest.mark.ray
@pytest.mark.slow
def test_searching_again_trains_nothing_and_gives_the_same_table(searched):
    from tune.trials import search

    config, first = searched
    before = {path: path.stat().st_mtime_ns for path in config.out.rglob("model.safetensors")}
    second = search(config, parse_overrides(TINY))
    pd.testing.assert_frame_equal(first.reset_index(drop=True), second.reset_index(drop=True))
    assert before == {
        path: path.stat().st_mtime_ns for path in config.out.rglob("model.safetensors")
    }


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"train.steps.sm": 3}, r"settings\.train\.steps\.sm=2, not 3"),
        ({"samples": 2}, "samples=1, not 2"),
        ({"seed": 5}, "seed=0, not 5"),
        ({"space": "focal"}, "space=two_point, not focal"),
        ({"recipe": "fusion.base"}, r"settings\.[^ ]*, not "),
    ],
)
def test_another_search_in_the_same_folder_names_what_differs(searched, changes, line):
    from tune.trials import search

    config, _ = searched
    own = {key: value for key, value in changes.items() if key in SweepConfig.model_fields}
    rest = {key: value for key, value in changes.items() if key not in own}
    with pytest.raises(ConfigError, match=f"holds a run with {line}.*give another out=DIR"):
        search(replace(config, own), parse_overrides(TINY) | rest)


@pytest.mark.ray
@pytest.mark.slow
def test_another_table_in_the_same_folder_is_another_search(searched, tmp_path):
    from tune.trials import search

    config, _ = searched
    (tmp_path / "table").symlink_to(config.data)
    moved = tmp_path / "copy"
    shutil.copytree(config.data, moved)
    with pytest.raises(ConfigError, match=r"settings\.data=.*, not .*copy"):
        search(replace(config, {"data": moved}), parse_overrides(TINY))
    search(replace(config, {"data": tmp_path / "table"}), parse_overrides(TINY))


@pytest.mark.ray
@pytest.mark.slow
def test_where_the_trials_run_may_change(searched):
    from tune.trials import search

    config, first = searched
    changes = parse_overrides([*TINY, "train.cpus_per_worker=0.25"])
    assert len(search(config, changes)) == len(first)


@pytest.mark.ray
@pytest.mark.slow
def test_no_placement_group_is_stranded(searched):
    import ray

    groups = ray.util.placement_group_table().values()
    assert [group for group in groups if group["state"] != "REMOVED"] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["fusion.smoke", "two_points", "data=x", "out=y"], "expected two_point or focal"),
        (["fusion.smoke", "focal", "data=x"], "out is missing"),
        (["fusion.smoke", "focal", "data=/nowhere", "out=/tmp/none"], "/nowhere"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_line(words, line):
    done = sweep(*words)
    assert done.returncode == 2
    assert line in done.stderr
    assert "Traceback" not in done.stderr
