"""Tests of tune.sweep: a real two-point search, what it leaves, its resume, its errors."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mgray.config import leaf_keys, parse_overrides, replace
from mgray.errors import ConfigError, DataError, MgrayError
from mgray.ingest.config import IngestConfig
from mgray.recipes.catalog import load_recipe
from tests.console import run_python
from tests.tune.planted import measured
from tune.config import SweepConfig
from tune.ledger import Ledger
from tune.spaces import focal

TINY = [
    "train.workers=1", "train.cpus_per_worker=0.5", "train.steps.sm=4", "detector.weights=none",
    "train.validate_every=2", "train.checkpoint_every=2", "train.log_every=1",
    "batches.preprocess.net_height=128", "batches.preprocess.net_width=128",
    "batches.global_batch_size=2",
]  # fmt: skip
CHANGES = parse_overrides(TINY)
INTERRUPTED = """
import os, signal, time
from mgray.cli import guard
from tests.tune.planted import EVERY, measured
from tune import fusion, sweep

driver = os.getpid()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

def objective(sample, folder):
    yield measured(sample, EVERY, 1)
    if folder.name == "0001" and not (folder / "asked").exists():
        (folder / "asked").touch()
        os.kill(driver, signal.SIGINT)
        time.sleep(600)

fusion.FusionTrial = lambda base: objective
fusion.check_data = lambda data, batches: None
fusion._check_positives = lambda data: None
guard("", sweep.run)
"""

pytestmark = pytest.mark.timeout(1800)  # the first one trains; on a busy machine that takes long


@pytest.fixture(scope="module")
def searched(ray_cluster, phantom_archive, tmp_path_factory):
    """A finished search of two trials and its table; validation has two positive patients."""
    from mgray.ingest.pipeline import ingest
    from tune.fusion import sweep

    folder = tmp_path_factory.mktemp("s")
    told = {"archive": phantom_archive, "out": folder / "table", "split_seed": 4, "workers": 1}
    ingest(IngestConfig(source="phantom", **told))
    config = SweepConfig(
        recipe="fusion.smoke",
        space="two_point",
        data=folder / "table",
        out=folder / "sweep",
        replicates=50,
    )
    return config, sweep(config, CHANGES)


@pytest.mark.ray
@pytest.mark.slow
def test_both_points_are_trained_and_judged_with_an_interval(searched):
    _, table = searched
    assert sorted(table["loss.alpha_positive"]) == [0.25, 0.9]
    assert (table["fauc_1_plus_low"] <= table["fauc_1_plus"]).all()
    assert (table["fauc_1_plus"] <= table["fauc_1_plus_high"]).all()
    assert (table["end"] == "done").all()
    assert (table["steps"] == 4).all()


@pytest.mark.ray
@pytest.mark.slow
def test_every_validation_is_told_while_the_trial_runs(searched):
    config, _ = searched
    trials = Ledger(config.out / "ledger.jsonl").trials.values()
    assert [[row["step"] for row in trial.reports] for trial in trials] == [[0, 2, 4]] * 2


@pytest.mark.ray
@pytest.mark.slow
def test_each_trial_is_a_train_run_of_its_own(searched):
    config, _ = searched
    assert len(list((config.out / "trials").glob("*/models/sm/model.safetensors"))) == 2
    assert len(list((config.out / "trials").glob("*/stages/sm/checkpoints_ray/step_*"))) >= 2


@pytest.mark.ray
@pytest.mark.slow
def test_tensorboard_finds_every_trial(searched):
    config, _ = searched
    found = sorted((config.out / "tune").glob("*/events.out.tfevents.*"))
    assert [path.parent.name for path in found] == ["0000", "0001"]
    assert all(b"fauc_1_plus" in path.read_bytes() for path in found)


@pytest.mark.ray
@pytest.mark.slow
def test_the_winners_recipe_can_be_trained(searched):
    config, table = searched
    recipe = load_recipe(str(config.out / "winner.yaml"), {})
    best = table.iloc[0]
    assert recipe.loss.alpha_positive == best["loss.alpha_positive"]
    assert recipe.optimizer.learning_rate == best["optimizer.learning_rate"]
    assert recipe.train.steps["sm"] == 4
    assert not recipe.out.exists()


@pytest.mark.ray
@pytest.mark.slow
def test_table_and_report_are_written(searched):
    config, table = searched
    read = pd.read_csv(config.out / "results.csv", keep_default_na=False)
    assert read["trial"].tolist() == table["trial"].tolist()
    assert "Which setting sees most?" in (config.out / "report.html").read_text()


@pytest.mark.ray
@pytest.mark.slow
def test_searching_again_trains_nothing_and_gives_the_same_table(searched):
    from tune.fusion import sweep

    config, first = searched
    before = {path: path.stat().st_mtime_ns for path in config.out.rglob("model.safetensors")}
    second = sweep(config, CHANGES | {"train.cpus_per_worker": 0.25})
    pd.testing.assert_frame_equal(first, second)
    assert before == {
        path: path.stat().st_mtime_ns for path in config.out.rglob("model.safetensors")
    }


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"train.steps.sm": 3}, r"settings\.train\.steps\.sm=4, not 3"),
        ({"seed": 5}, r"seed=0, not 5"),
        ({"space": "focal"}, r"sweep\.space=two_point, not focal"),
        ({"recipe": "fusion.base"}, r"settings\.[^ ]*, not "),
    ],
)
def test_another_search_in_the_same_folder_names_what_differs(searched, changes, line):
    from tune.fusion import sweep

    config, _ = searched
    own = {key: value for key, value in changes.items() if key in SweepConfig.model_fields}
    rest = {key: value for key, value in changes.items() if key not in own}
    with pytest.raises(ConfigError, match=f"holds a run with [^ ]*{line}.*give another out=DIR"):
        sweep(replace(config, own), CHANGES | rest)


@pytest.mark.ray
@pytest.mark.slow
def test_another_table_in_the_same_folder_is_another_search(searched, tmp_path):
    from tune.fusion import sweep

    config, _ = searched
    (tmp_path / "table").symlink_to(config.data)
    moved = tmp_path / "copy"
    shutil.copytree(config.data, moved)
    with pytest.raises(ConfigError, match=r"settings\.data=.*, not .*copy"):
        sweep(replace(config, {"data": moved}), CHANGES)
    sweep(replace(config, {"data": tmp_path / "table"}), CHANGES)


@pytest.mark.ray
@pytest.mark.slow
def test_two_sweeps_cannot_share_a_folder(searched):
    from mgray.files import only_writer
    from tune.fusion import sweep

    config, _ = searched
    with only_writer(config.out), pytest.raises(DataError, match="somebody else writes"):
        sweep(config, CHANGES)


@pytest.mark.ray
@pytest.mark.slow
def test_no_placement_group_is_stranded(searched):
    import ray

    groups = ray.util.placement_group_table().values()
    assert [group for group in groups if group["state"] != "REMOVED"] == []


def test_a_table_in_a_bucket_keeps_its_address(monkeypatch, tmp_path):
    from tune import fusion

    def looked_at(data, _):
        raise DataError(str(data))

    monkeypatch.setattr(fusion, "check_data", looked_at)
    told = {"space": "two_point", "data": "s3://bucket/table", "out": tmp_path / "s"}
    with pytest.raises(DataError, match=r"^s3:/bucket/table$"):
        fusion.sweep(SweepConfig(recipe="fusion.smoke", **told), CHANGES)


@pytest.mark.ray
@pytest.mark.slow
def test_a_sweep_that_is_interrupted_names_no_winner_and_goes_on(tmp_path):
    out = tmp_path / "sweep"
    write_manifest(tmp_path, "a")
    words = ["fusion.smoke", "focal", f"data={tmp_path}", f"out={out}", "samples=3"]
    first = run_python("-c", INTERRUPTED, *words, RAY_ADDRESS="")
    assert first.returncode == 130, first.stderr
    assert first.stderr.endswith("interrupted: run the same command again to continue\n")
    assert [trial.end for trial in Ledger(out / "ledger.jsonl").trials.values()] == ["done", None]
    written = [out / name for name in ("results.csv", "report.html", "winner.yaml")]
    assert not any(path.exists() for path in written)
    again = run_python("-c", INTERRUPTED, *words, RAY_ADDRESS="")
    assert again.returncode == 0, again.stderr
    assert all(path.exists() for path in written)


def write_manifest(table: Path, content: str) -> None:
    """All that a sweep itself reads of a table which nobody checks."""
    (table / "manifest.json").write_text(json.dumps({"content_sha256": content}))


@pytest.fixture
def planned(monkeypatch, tmp_path):
    """A sweep of three trials, without Ray: it ends with what the ledger holds."""
    from tune import fusion, search

    class Returning:
        """Tune, when somebody has stopped it."""

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def fit(self) -> None:
            """Come back at once."""

    monkeypatch.setattr(search.tune, "Tuner", Returning)
    monkeypatch.setattr(fusion, "start_ray", lambda cpus: True)
    monkeypatch.setattr(fusion, "check_data", lambda data, batches: None)
    monkeypatch.setattr(fusion, "_check_positives", lambda data: None)
    write_manifest(tmp_path, "a")
    told = {"data": tmp_path, "out": tmp_path / "s", "samples": 3}
    return SweepConfig(recipe="fusion.smoke", space="focal", **told)


def end_well(config: SweepConfig, *numbers: int) -> None:
    config.out.mkdir(exist_ok=True)
    ledger = Ledger(config.out / "ledger.jsonl")
    sample = {key: space.low for key, space in focal().ranges.items()}
    for number in numbers:
        ledger.start(number, sample)
        ledger.report(number, measured(sample, 3, 0))
        ledger.end(number, "done")


@pytest.mark.parametrize(("ended", "line"), [([], "3 of 3"), ([0, 2], "1 of 3")])
def test_a_search_that_came_back_early_has_no_winner(planned, ended, line):
    from tune.fusion import sweep

    end_well(planned, *ended)
    first = 1 if ended else 0
    wanted = rf"^{line} trials have not ended, the first of them trial {first}, .* command again"
    with pytest.raises(MgrayError, match=wanted):
        sweep(planned, CHANGES)
    assert not (planned.out / "winner.yaml").exists()
    assert not (planned.out / "results.csv").exists()


def test_a_table_that_was_ingested_anew_in_its_place_is_another_search(planned):
    from tune.fusion import sweep

    end_well(planned, 0, 1, 2)
    assert len(sweep(planned, CHANGES)) == 3
    write_manifest(planned.data, "b")
    with pytest.raises(ConfigError, match=r"table with other rows: give another out=DIR, or"):
        sweep(planned, CHANGES)
    write_manifest(planned.data, "a")
    assert len(sweep(planned, CHANGES)) == 3


def test_a_search_of_before_that_names_no_rows_goes_on(planned):
    from tune.fusion import sweep

    end_well(planned, 0, 1, 2)
    sweep(planned, CHANGES)
    (planned.out / "run.json").unlink()
    assert len(sweep(planned, CHANGES)) == 3


def test_help_lists_every_key():
    said = run_python("-m", "tune.sweep", "--help").stdout
    assert all(f"  {key}=" in said for key in leaf_keys(SweepConfig))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["fusion.smoke", "two_points", "data=x", "out=y"], "expected focal or grid or two_point"),
        (["fusion.smoke", "focal", "data=x"], "out is missing"),
        (["fusion.smoke", "focal", "data=/nowhere", "out=/tmp/none"], "/nowhere"),
        (["fusion.smoke", "focal", "data=x", "out=y", "reduction=1"], "reduction=1"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_line(words, line):
    done = run_python("-m", "tune.sweep", *words)
    assert done.returncode == 2
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
