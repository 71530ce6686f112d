"""jobs.ingest on two simulated nodes against one, the same processors in all."""

import statistics
from pathlib import Path
from typing import Final

from mgray.cluster import ADDRESS, simulated_nodes
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.ingest import ingest_words, steady_rate
from mgray.recipes.bench.process import seconds_of

GOAL: Final = 0.95
"""Of the rate of two nodes over that of one."""


def measure_nodes(config: BenchConfig, work: Path, log: Path) -> Measured:
    """Compare steady states, without the start of clusters and jobs.

    Args:
        config: How often; its workers are shared out.
        work: Holds ``archive``.
        log: Gets what the jobs say.

    Raises:
        MgrayError: A job failed.
    """
    one, two = (config.workers,), (config.workers - config.workers // 2, config.workers // 2)
    turns = [
        [_rate(config, work, f"nodes_{len(cpus)}_{turn}", cpus, log) for cpus in (two, one)]
        for turn in track(range(config.repeats), "time nodes", config.repeats, "turns")
    ]
    ours, bare = zip(*turns, strict=True)
    ratio = statistics.median(many / single for many, single in turns)
    what = "ingest on two simulated nodes / on one"
    note = f"{what}: {ratio:.3g}, goal {GOAL:g} {'met' if ratio >= GOAL else 'MISSED'}"
    return Measured([Comparison(what, "images/s", ours, bare, is_rate=True)], notes=[note])


def _rate(config: BenchConfig, work: Path, name: str, cpus: tuple[int, ...], log: Path) -> float:
    with simulated_nodes(cpus) as address:
        words = ingest_words(config, work / "archive", work / name)
        seconds_of(words, log, **{ADDRESS: address})
    return steady_rate(work / name, config.workers)
