"""The driver on ten exams: what runs, what is shared, what a second call does."""

import json
import shutil
from pathlib import Path

import pytest

from mgray.config import replace
from mgray.recipes import experiment
from mgray.recipes.arms import ARMS, FULL
from mgray.recipes.experiment import (
    Run,
    build_run,
    make_table,
    origin,
    plan,
    predict_missing,
    predictions,
    run_experiment,
    shared_stages,
)
from mgray.recipes.experiment_config import ExperimentConfig
from mgray.recipes.fusion_config import TRAINED
from mgray.schema import PREDICTION

QUICK = (
    "batches.boxed_share=1.0", "batches.global_batch_size=2", "batches.preprocess.net_height=128",
    "batches.preprocess.net_width=128", "detector.weights=none",
    *(f"train.steps.{stage}=1" for stage in TRAINED),
)  # fmt: skip


def config(out: Path = Path("out"), **changes: object) -> ExperimentConfig:
    arms = ("mismatched", "second_a")
    base = ExperimentConfig(recipe="fusion.tiny", out=out, seeds=2, arms=arms)
    return replace(base, changes)


def test_full_runs_come_before_all_that_take_from_them() -> None:
    asked = config(doses=(0.0, 0.5))
    runs = plan(asked)
    first, rest = runs[:2], runs[2:]
    assert first == [Run(1.0, seed, FULL) for seed in (1, 2)]
    assert [origin(asked, run) for run in first] == [None, None]
    assert all(origin(asked, run) == Run(1.0, run.seed, FULL) for run in rest)
    assert {(run.dose, run.arm) for run in rest} == {
        *((1.0, "mismatched"), (1.0, "second_a"), (0.0, FULL), (0.5, FULL))
    }


def test_a_seed_also_chooses_the_patients_with_boxes() -> None:
    resolved = build_run(config(), Run(1.0, 7, "mismatched"))
    assert (resolved.seed, resolved.batches.boxed_seed) == (7, 7)
    assert resolved.distillation.pairs == "mismatched"


def test_an_arm_takes_over_what_it_does_not_train() -> None:
    assert shared_stages(config(), Run(1.0, 1, FULL)) == []
    assert shared_stages(config(), Run(0.5, 1, FULL)) == ["untrained", "ffdm"]
    assert shared_stages(config(), Run(1.0, 1, "mismatched")) == [
        *("untrained", "sm", "ffdm", "upper_bound")
    ]
    assert "student" not in shared_stages(config(), Run(1.0, 1, "second_a"))


def test_a_table_is_made_as_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(experiment, "run_job", asked.append)
    (tmp_path / "dose-0.5").mkdir()
    told = config(tmp_path, exams=7, archive_seed=3, phantom=("seed=4", "contrast=2.0"))
    for _ in range(2):
        make_table(told, 0.5)
    phantom, ingest = asked
    expected = {"exams=7", "seed=4", "contrast=2.0", "visibility.trace_share=0.5"}
    assert expected <= set(phantom)
    assert len({word.partition("=")[0] for word in phantom}) == len(phantom)
    assert "split_seed=3" in ingest


def test_a_model_trained_again_is_predicted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    class Predictor:
        def __init__(self, folders: dict[str, Path], *_: object) -> None:
            (folder,) = folders.values()
            seen.append((folder / "model.safetensors").read_bytes())

        def __call__(self, task: str) -> str:
            return task

    monkeypatch.setattr(experiment, "PairPredictor", Predictor)
    monkeypatch.setattr(experiment, "build_tasks", lambda *_: ["task"])
    monkeypatch.setattr(experiment, "collect", lambda _: PREDICTION.empty_table())
    asked, run = config(tmp_path), Run(1.0, 1, FULL)
    folder = run.folder(asked) / "models" / "sm"
    folder.mkdir(parents=True)
    (folder.parent / "fused").symlink_to(folder)
    for weights in (b"old", b"old", b"new"):
        (folder / "model.safetensors").write_bytes(weights)
        predict_missing(asked, run)
        assert list(predictions(asked, run)) == ["sm"]
    assert seen == [b"old", b"new"]


@pytest.fixture(scope="module")
def done(phantom_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment that has run twice, then with one more arm and a damaged file."""
    out = tmp_path_factory.mktemp("experiment")

    def take(config: ExperimentConfig, dose: float) -> None:
        folder = experiment.dose_folder(config, dose)
        if not folder.exists():
            folder.mkdir()
            shutil.copytree(phantom_table, folder / "table")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "make_table", take)
        small = config(out, seeds=1, processes=1, train=QUICK, **{"bootstrap.replicates": 50})
        run_experiment(small)
        before = stamps(out)
        (held,) = (seed(out) / FULL / "predictions").glob("test-sm-*.parquet")
        held.write_bytes(b"damaged")
        run_experiment(replace(small, {"arms": ("mismatched", "second_a", "untrained_b")}))
    assert {path: stamp for path, stamp in stamps(out).items() if path in before} == before
    return out


def stamps(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}


def seed(done: Path) -> Path:
    return done / "dose-1" / "seed-1"


@pytest.mark.ray
def test_shared_stages_are_not_trained_again(done: Path) -> None:
    for arm in ("mismatched", "second_a", "untrained_b"):
        trained = {
            path.name for path in (seed(done) / arm / "models").iterdir() if not path.is_symlink()
        }
        assert trained == {*ARMS[arm].trains}, arm


@pytest.mark.ray
def test_the_second_a_is_another_one_with_the_same_boxes(done: Path) -> None:
    student = seed(done) / "second_a" / "models" / "student"
    assert student.resolve() == seed(done) / "second_a" / "second" / "models" / "sm"
    ours, theirs = (
        (folder / "model.safetensors").read_bytes()
        for folder in (student, seed(done) / FULL / "models" / "sm")
    )
    assert ours != theirs
    config = (seed(done) / "second_a" / "second" / "config.resolved.yaml").read_text()
    assert "boxed_seed: 1\n" in config
    assert "seed: 1001\n" in config


@pytest.mark.ray
def test_every_arm_is_in_the_report(done: Path) -> None:
    rows = json.loads((done / "results.json").read_text())["rows"]
    assert [(row["arm"], row["model"]) for row in rows] == [
        *((FULL, model) for model in ("sm", "ffdm", "fused", "upper_bound")),
        *((arm, "fused") for arm in ("mismatched", "second_a", "untrained_b")),
    ]
    page = (done / "experiment.html").read_text()
    assert all(ARMS[row["arm"]].title in page for row in rows if row["model"] == "fused")
    assert len((done / "results.md").read_text().splitlines()) == len(rows) + 2
