"""A search with a known answer, under faults: ``MGRAY_SEARCH=500`` runs the long one."""

import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tune.planted import BEST, STEPS, found, spent, truth
from tune.ledger import Ledger
from tune.spaces import grid
from tune.table import winner_of

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("MGRAY_SEARCH", "24"))
MARK = "MGRAY_TEST_MARK"

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(60 + 6 * TRIALS)]


@dataclass(frozen=True)
class Searched:
    """A search whose driver was killed after a third of its trials, and that was run again."""

    out: Path
    ledger: Ledger
    ended_before: dict[int, int]
    """Attempts of each trial that had ended when the driver was killed."""
    left_over: list[str]
    """Processes that outlived the killed driver."""


def start(out: Path, mark: str) -> subprocess.Popen[bytes]:
    path = f"{ROOT / 'platform'}{os.pathsep}{ROOT}"
    command = [sys.executable, "-m", "tests.tune.planted", str(out), str(TRIALS), "1"]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {MARK: mark, "PYTHONPATH": path, "RAY_ADDRESS": ""}
    )


def marked(mark: str) -> list[str]:
    """Commands of the living processes that have inherited a mark."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                commands.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [command for command in commands if command]


def attempts(out: Path, number: int) -> int:
    return len(list((out / "trials" / f"{number:04d}").glob("attempt_*")))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    out, mark = tmp_path_factory.mktemp("planted"), uuid.uuid4().hex
    driver = start(out, mark)
    while sum(trial.end is not None for trial in Ledger(out / "ledger.jsonl").trials.values()) < (
        TRIALS // 3
    ):
        assert driver.poll() is None, "the driver ended before it was killed"
        time.sleep(0.1)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    ended = [t.number for t in Ledger(out / "ledger.jsonl").trials.values() if t.end]
    before = {number: attempts(out, number) for number in ended}
    for _ in range(300):  # a worker that was just starting finds out late
        if not marked(mark):
            break
        time.sleep(0.2)
    left_over = marked(mark)
    assert start(out, mark).wait() == 0
    return Searched(out, Ledger(out / "ledger.jsonl"), before, left_over)


def test_every_trial_ends_though_some_of_their_processes_died(searched):
    assert len(searched.ledger.trials) == TRIALS
    assert {trial.end for trial in searched.ledger.trials.values()} <= {"done", "stopped"}
    assert "failed" not in searched.ledger.path.read_text()
    assert any(attempts(searched.out, number) > 1 for number in searched.ledger.trials)


def test_a_killed_driver_leaves_no_process(searched):
    assert searched.left_over == []


def test_what_had_ended_is_not_run_again(searched):
    assert searched.ended_before
    for number, count in searched.ended_before.items():
        assert attempts(searched.out, number) == count


def test_a_trial_goes_on_from_its_last_state(searched):
    again = [n for n in searched.ledger.trials if attempts(searched.out, n) > 1]
    for number in again:
        steps = (searched.out / "trials" / f"{number:04d}" / "spent").stat().st_size
        whole = searched.ledger.trials[number].last["step"]
        assert whole <= steps <= whole + 3 * (attempts(searched.out, number) - 1)


def test_the_optimum_is_found_at_a_fraction_of_the_grids_cost(searched):
    whole = len(grid().points) * STEPS
    reached, best_of_grid = truth(found(searched.ledger)), max(map(truth, grid().points))
    cost = cost_until_found(searched, best_of_grid)
    ends = [trial.end for trial in searched.ledger.trials.values()]
    sys.stderr.write(
        f"\n{TRIALS} trials, {ends.count('stopped')} stopped, seen with pytest -s: found"
        f" {reached:.4f} of {truth(BEST):.4f}, the grid's best is {best_of_grid:.4f};"
        f" {cost / whole:.3f} of the grid's cost until better than that,"
        f" {spent(searched.out) / whole:.3f} in all\n"
    )
    assert reached > best_of_grid
    assert cost <= 0.4 * whole


def cost_until_found(searched: Searched, enough: float) -> int:
    """Steps of all trials up to the first winner so far that is truly better than ``enough``."""
    cost = 0
    known = []
    for number, trial in sorted(searched.ledger.trials.items()):
        known.append(trial)
        cost += (searched.out / "trials" / f"{number:04d}" / "spent").stat().st_size
        winner = winner_of(known)
        if winner and truth(winner.sample) > enough:
            return cost
    return cost
