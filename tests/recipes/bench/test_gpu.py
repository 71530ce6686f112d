from pathlib import Path

import pytest
import torch

from mgray.config import replace
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.gpu import (
    NETWORKS,
    PRECISIONS,
    TIMED,
    StepFigures,
    compared,
    gpu_run,
    measure_gpu,
    step_figures,
)
from mgray.recipes.bench.training import WARM
from mgray.training.journal import read_rows, steps_done


def test_steps_of_all_three_stages_are_timed_after_the_first(
    phantom_table: Path, tmp_path: Path
) -> None:
    run = gpu_run(BenchConfig(steps=4), phantom_table, tmp_path, NETWORKS[0], "bfloat16")
    here = {
        "train.gpu": False, "detector.name": "tf_efficientdet_lite0",
        "batches.global_batch_size": 2, "batches.preprocess.net_height": 128,
        "batches.preprocess.net_width": 128,
    }  # fmt: skip
    found = step_figures(replace(run, here))
    assert list(found) == list(TIMED)
    for stage, figures in found.items():
        rows = read_rows(tmp_path / "stages" / stage / "metrics.jsonl")
        first, second = (row["images_per_s"] for row in rows if "images_per_s" in row)
        assert figures.images_per_s == pytest.approx(second)
        assert first != second
        assert 0 <= figures.input_wait < 1
        assert figures.gpu_memory_bytes is None
    assert steps_done(tmp_path / "stages" / "upper_bound" / "metrics.jsonl") == 0


def test_both_networks_are_trained_at_1024_pixels(tmp_path: Path) -> None:
    for network in NETWORKS:
        run = gpu_run(BenchConfig(seed=3, workers=4), tmp_path, tmp_path, network, "float32")
        shape = run.batches.preprocess
        assert (shape.net_height, run.detector.name, run.train.gpu) == (1024, network, True)
        assert (run.seed, run.batches.threads, run.train.precision) == (3, 4, "float32")
        assert run.train.steps == {
            "sm": WARM + 12, "ffdm": 0, "student": WARM + 12, "fused": WARM + 12, "upper_bound": 0
        }  # fmt: skip


def test_low_precision_is_compared_with_full_stage_by_stage() -> None:
    low, full = PRECISIONS
    turn = {
        low: dict.fromkeys(TIMED, StepFigures(20.0, 0.02, 2**30)),
        full: dict.fromkeys(TIMED, StepFigures(10.0, 0.0, 2**31)),
    }
    found = compared(NETWORKS[1], [turn, turn])
    assert [one.ratios() for one in found.comparisons] == [[0.5, 0.5]] * 3
    assert found.notes[0] == (
        "tf_efficientdet_d4 1024 x 640, stage I, bfloat16: 2.0 % of the time waits for input, "
        "at most 1.0 GiB of GPU memory"
    )
    assert "float32: 0.0 % of the time waits for input, at most 2.0 GiB" in found.notes[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_without_a_gpu_that_is_said(tmp_path: Path) -> None:
    found = measure_gpu(BenchConfig(), tmp_path, tmp_path / "log")
    assert (found.comparisons, found.notes) == ((), ["gpu: no GPU here, nothing measured"])
