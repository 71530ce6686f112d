from pathlib import Path

import pytest

from mgray.errors import MgrayError, NotFoundError
from mgray.recipes.bench.startup import GOAL_S, RUNS, entry_points, measure_startup

ROOT = Path(__file__).parents[3]


def test_every_job_and_the_sweep_is_asked_for_help() -> None:
    found = entry_points(ROOT)
    assert {"jobs.ingest", "jobs.train", "jobs.bench", "tune.sweep"} <= set(found)
    assert "jobs.__init__" not in found


def test_outside_a_checkout_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="run the bench from the checkout"):
        entry_points(tmp_path)


def test_help_is_timed_beside_a_python_that_does_nothing() -> None:
    (one,) = measure_startup(["json.tool"]).comparisons
    assert (one.what, one.goal) == ("json.tool --help", GOAL_S)
    assert len(one.ours) == len(one.bare) == RUNS
    assert sum(one.ours) > sum(one.bare) > 0


def test_a_module_without_help_is_a_fault() -> None:
    with pytest.raises(MgrayError, match=r"python -m json\.nothing --help ended with exit code 1"):
        measure_startup(["json.nothing"])
