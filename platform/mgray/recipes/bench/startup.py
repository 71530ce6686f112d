"""How long ``--help`` of every entry point takes, against a Python that does nothing."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mgray.errors import MgrayError, NotFoundError
from mgray.progress import track
from mgray.recipes.bench.figures import Comparison, Measured

GOAL_S: Final = 0.5
RUNS: Final = 5


def measure_startup(modules: Sequence[str]) -> Measured:
    """Ask every module for help, in turns.

    Raises:
        MgrayError: A module has no help.
    """
    ours: dict[str, list[float]] = {module: [] for module in modules}
    bare = []
    for _ in track(range(RUNS), "time --help", RUNS, "turns"):
        bare.append(_seconds(["-c", ""]))
        for module in modules:
            ours[module].append(_seconds(["-m", module, "--help"]))
    return Measured(
        [Comparison(f"{name} --help", "s", ours[name], bare, goal=GOAL_S) for name in modules]
    )


def entry_points(root: Path) -> list[str]:
    """Names of all jobs of a checkout, and of the sweep.

    Raises:
        NotFoundError: It is no checkout.
    """
    jobs = sorted(path.stem for path in (root / "jobs").glob("[!_]*.py"))
    if not jobs:
        raise NotFoundError("no folder 'jobs' here: run the bench from the checkout")
    return [*(f"jobs.{job}" for job in jobs), "tune.sweep"]


def _seconds(words: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    if done.returncode:
        raise MgrayError(f"python {' '.join(words)} ended with exit code {done.returncode}")
    return time.perf_counter() - start
