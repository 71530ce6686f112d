"""Measure mgray's work, from catalogue to endpoint, against bare work; about 13 minutes.

    python -m jobs.bench [which=[ingest,reader,sampler,train,serve] exams=24 repeats=3]
    python -m jobs.bench which=[ingest] full_exams=25 full_turns=3

Prints medians with their range, ratios of paired turns and peak memory; writes out/bench.json. The
first run makes full-size phantoms, which takes 5 minutes more, and keeps them in out/full. On a
machine that does other work the figures mean little.

Keys:
"""

from mgray.cli import main
from mgray.recipes.bench.config import BenchConfig


def run(config: BenchConfig) -> None:
    """Measure, and print the tables."""
    from mgray.recipes.bench.run import run_bench

    print(run_bench(config))


if __name__ == "__main__":
    main(__doc__, BenchConfig, run)
