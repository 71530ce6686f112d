"""Steps of stages I, II and III on a GPU, at 1024 pixels: speed, waiting, memory, by precision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

import torch

from mgray.config import replace
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.full_size import SYNTAXES, full_size_archive, make_full_size
from mgray.recipes.bench.ingest import ingest_words
from mgray.recipes.bench.process import seconds_of
from mgray.recipes.bench.training import WARM, timed_rows
from mgray.recipes.fusion import FusionRun, run_fusion, smoke
from mgray.training.stages import STAGES

NETWORKS: Final = ("tf_efficientdet_d0", "tf_efficientdet_d4")
PRECISIONS: Final = ("bfloat16", "float32")
TIMED: Final = {"sm": "stage I", "student": "stage II", "fused": "stage III"}
SIZE: Final = (1024, 640)
"""Height and width of the network's input: divisible by 128, about as P1's 2944 x 1920."""
BATCH: Final = 8


@dataclass(frozen=True)
class StepFigures:
    """Of one stage in one run."""

    images_per_s: float
    input_wait: float
    """Share of the time in which the loop waits for a batch."""
    gpu_memory_bytes: int | None
    """Most that tensors held; None without a GPU."""


Turn = Mapping[str, Mapping[str, StepFigures]]
"""By precision and stage."""


def measure_gpu(config: BenchConfig, work: Path, log: Path) -> Measured:
    """Train a few steps of every kind; only a note where there is no GPU.

    Args:
        config: How many steps, how often; its workers decode.
        work: Gets a table of the full-size images, and the runs.
        log: Gets what the jobs say.
    """
    if not torch.cuda.is_available():
        return Measured(notes=["gpu: no GPU here, nothing measured"])
    make_full_size(config, log, SYNTAXES[:1])
    table = work / "gpu_table"
    seconds_of(ingest_words(config, full_size_archive(config, SYNTAXES[0]), table), log)
    todo = [(network, turn) for network in NETWORKS for turn in range(config.repeats)]
    found: dict[str, list[Turn]] = {network: [] for network in NETWORKS}
    for network, turn in track(todo, "time GPU steps", len(todo), "turns"):
        out = work / f"gpu_{network}_{turn}"
        runs = {one: gpu_run(config, table, out / one, network, one) for one in PRECISIONS}
        found[network].append({one: step_figures(run) for one, run in runs.items()})
    told = [compared(network, turns) for network, turns in found.items()]
    return Measured(
        [one for part in told for one in part.comparisons],
        notes=[note for part in told for note in part.notes],
    )


def gpu_run(config: BenchConfig, table: Path, out: Path, network: str, precision: str) -> FusionRun:
    """A run of stages I, II and III, each a few steps from new weights."""
    changes = {
        "data": table,
        "out": out,
        "seed": config.seed,
        "detector.name": network,
        "detector.weights": "none",
        "batches.global_batch_size": BATCH,
        "batches.threads": config.workers,
        "batches.preprocess.net_height": SIZE[0],
        "batches.preprocess.net_width": SIZE[1],
        "train.steps": dict.fromkeys(smoke().train.steps, 0)
        | dict.fromkeys(TIMED, WARM + config.steps),
        "train.workers": 0,
        "train.gpu": True,
        "train.precision": precision,
        "train.channels_last": True,
        "train.log_every": WARM,
        "train.validate_every": WARM + config.steps,
        "train.checkpoint_every": WARM + config.steps,
    }
    return replace(smoke(), changes)


def step_figures(run: FusionRun) -> dict[str, StepFigures]:
    """Train a new run here, without Ray, and read what its rows say of each timed stage."""
    run_fusion(run, use_ray=False)
    return {stage: _figures(run.out / STAGES / stage) for stage in TIMED}


def _figures(folder: Path) -> StepFigures:
    rows = timed_rows(folder)
    held = [row["gpu_memory_bytes"] for row in rows if "gpu_memory_bytes" in row]
    return StepFigures(
        images_per_s=1 / fmean(1 / row["images_per_s"] for row in rows),
        input_wait=fmean(row["input_wait"] for row in rows),
        gpu_memory_bytes=max(held, default=None),
    )


def compared(network: str, turns: Sequence[Turn]) -> Measured:
    """bfloat16 as ours, float32 as bare, a line for each stage; waiting and memory as notes."""
    low, full = PRECISIONS
    size = f"{network} {SIZE[0]} x {SIZE[1]}"
    comparisons = [
        Comparison(
            f"{size}, {title}, {low} against {full}",
            "images/s",
            [turn[low][stage].images_per_s for turn in turns],
            [turn[full][stage].images_per_s for turn in turns],
            is_rate=True,
        )
        for stage, title in TIMED.items()
    ]
    notes = [
        f"{size}, {title}, {precision}: {_told([turn[precision][stage] for turn in turns])}"
        for stage, title in TIMED.items()
        for precision in PRECISIONS
    ]
    return Measured(comparisons, notes=notes)


def _told(turns: Sequence[StepFigures]) -> str:
    waits = fmean(turn.input_wait for turn in turns)
    held = [turn.gpu_memory_bytes for turn in turns if turn.gpu_memory_bytes is not None]
    memory = f", at most {max(held) / 2**30:.1f} GiB of GPU memory" if held else ""
    return f"{100 * waits:.1f} % of the time waits for input{memory}"
