"""A training step of the real loop against the same step on batches that lie in memory."""

import math
import time
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Final

import torch
from torch import nn

from mgray.config import replace
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.fusion import FusionRun, build_stages, smoke
from mgray.training.feed import build_feed
from mgray.training.journal import read_rows
from mgray.training.optimizer import build_optimizer
from mgray.training.port import LocalPort
from mgray.training.run import run_stage
from mgray.training.stages import Stage

WARM: Final = 4
"""First steps, which are not counted, and steps between two rows of metrics."""
STAGE: Final = "sm"


def measure_training(config: BenchConfig, work: Path) -> Measured:
    """Compare steps of stage I-A of ``fusion.smoke``, in this process, without Ray.

    Args:
        config: How many steps, and how often.
        work: Holds ``table``.
    """
    run = replace(smoke(), {"data": work / "table", "seed": config.seed})
    runs = [
        replace(run, {"out": work / f"train_{turn}", f"train.steps.{STAGE}": WARM + config.steps})
        for turn in range(config.repeats)
    ]
    turns = [step_pair(one) for one in track(runs, "time training", len(runs), "turns")]
    ours, bare = zip(*turns, strict=True)
    return Measured([Comparison("training step", "s", ours, bare)])


def training_words(config: BenchConfig, work: Path) -> list[str]:
    """The command that trains a few steps without Ray and saves all models of ``fusion.smoke``."""
    others = [f"train.steps.{name}=0" for name in smoke().train.steps if name != STAGE]
    folders = [f"data={work / 'table'}", f"out={work / 'train'}"]
    steps = [f"train.steps.{STAGE}={WARM}", *others]
    words = ["jobs.train", "fusion.smoke", *folders, *steps]
    return [*words, "train.workers=0", f"seed={config.seed}"]


def step_pair(run: FusionRun) -> tuple[float, float]:
    """Seconds a step of the real loop, then of the bare one: same weights, same batches.

    Args:
        run: A new run; ``train.steps.sm`` counts the first ``WARM`` steps too.
    """
    run = replace(run, {"train.log_every": WARM, "train.workers": 0})
    stage = next(stage for stage in build_stages(run) if stage.name == STAGE)
    run_stage(stage, use_ray=False)
    rows = read_rows(stage.loop.folder / "metrics.jsonl")
    rates = [row["images_per_s"] for row in rows if "images_per_s" in row][1:]
    return fmean(run.batches.global_batch_size / rate for rate in rates), _bare_step_s(stage)


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
