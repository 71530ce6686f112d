"""A training step of the real loop, here and in Ray Train, against batches that lie in memory."""

import math
import time
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import torch
from torch import nn

from mgray.config import replace
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.process import seconds_of
from mgray.recipes.fusion import FusionRun, build_stages, smoke
from mgray.reports.run import flat
from mgray.training.feed import build_feed
from mgray.training.journal import read_rows
from mgray.training.optimizer import build_optimizer
from mgray.training.port import LocalPort
from mgray.training.run import run_stage
from mgray.training.stages import STAGES, Stage

WARM: Final = 4
"""First steps, which are not counted, and steps between two rows of metrics."""
STAGE: Final = "sm"
LEAST: Final = 0.97
"""Goal: share of the bare loop's speed that a worker of Ray Train reaches."""


def measure_training(config: BenchConfig, work: Path, log: Path) -> Measured:
    """Compare steps of stage I-A of ``fusion.smoke``: of the loop here, in Ray Train, bare.

    Args:
        config: How many steps, and how often.
        work: Holds ``table``.
        log: Gets what the jobs say.
    """
    run = replace(smoke(), {"data": work / "table", "seed": config.seed})
    runs = [
        replace(run, {"out": work / f"train_{turn}", f"train.steps.{STAGE}": WARM + config.steps})
        for turn in range(config.repeats)
    ]
    turns = [step_times(one, log) for one in track(runs, "time training", len(runs), "turns")]
    here, on_ray, bare = zip(*turns, strict=True)
    return Measured(
        [
            Comparison("training step", "s", here, bare),
            Comparison("training step in Ray Train", "s", on_ray, bare, most_times=1 / LEAST),
        ]
    )


def training_words(config: BenchConfig, work: Path) -> list[str]:
    """The command that trains a few steps without Ray and saves all models of ``fusion.smoke``."""
    run = {"data": work / "table", "out": work / "train", f"train.steps.{STAGE}": WARM}
    return _words(replace(smoke(), {**run, "train.workers": 0, "seed": config.seed}))


def step_times(run: FusionRun, log: Path) -> tuple[float, float, float]:
    """Seconds a step of the loop in this process, in Ray Train, and bare: same weights and batches.

    Ray's start, its workers' and the first steps are not counted.

    Args:
        run: A new run; ``train.steps.sm`` counts the first ``WARM`` steps too.
        log: Gets what the job on Ray says.
    """
    stage = next(stage for stage in build_stages(_timed(run, 0)) if stage.name == STAGE)
    run_stage(stage, use_ray=False)
    out = run.out.with_name(f"{run.out.name}_ray")
    seconds_of(_words(_timed(replace(run, {"out": out}), 1)), log)
    folders = (stage.loop.folder, out / STAGES / STAGE)
    here, on_ray = (_step_s(folder, run.batches.global_batch_size) for folder in folders)
    return here, on_ray, _bare_step_s(stage)


def _timed(run: FusionRun, workers: int) -> FusionRun:
    return replace(run, {"train.log_every": WARM, "train.workers": workers})


def _words(run: FusionRun) -> list[str]:
    """The command of a run of ``fusion.smoke`` that trains one stage only and saves all models."""
    own, usual = (dict(flat(one.model_dump(mode="json"))) for one in (run, smoke()))
    own |= {f"train.steps.{name}": 0 for name in run.train.steps if name != STAGE}
    changed = [f"{key}={value}" for key, value in own.items() if value != usual[key]]
    return ["jobs.train", "fusion.smoke", *changed]


def _step_s(folder: Path, size: int) -> float:
    return fmean(size / row["images_per_s"] for row in timed_rows(folder))


def timed_rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of a stage that tell its speed, but for the first: ``WARM`` steps are not counted."""
    return [row for row in read_rows(folder / "metrics.jsonl") if "images_per_s" in row][1:]


def _bare_step_s(stage: Stage) -> float:
    torch.set_num_threads(stage.loop.train.threads)
    torch.manual_seed(stage.feed.seed)
    task = stage.build().train()
    optimizer = build_optimizer(task, stage.loop.optimizer)
    feed = build_feed(stage.feed, LocalPort(stage.loop.folder))
    batches = list(islice(feed.batches(0), stage.loop.steps))
    for number, batch in enumerate(batches):
        if number == WARM:
            start = time.perf_counter()
        loss = task(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(task.parameters(), stage.loop.optimizer.clip_norm or math.inf)
        optimizer.step()
    return (time.perf_counter() - start) / (len(batches) - WARM)
