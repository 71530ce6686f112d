"""Run a search on Ray Tune: the trials of a plan that the ledger does not hold yet.

A trial is any function that yields a row for each validation and ends when it finds a file ``stop``
in its folder. Nothing is ever killed: Tune's own stop would cut a Ray Train run off from the trial
that started it, and leave its placement group and its watcher to others (ray#54305).
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.util.metrics import Gauge

from mgray.cli import CONTINUE
from mgray.errors import MgrayError
from mgray.progress import Bar
from tune.ledger import HIGH, LOW, OBJECTIVE, STEP, Ledger
from tune.proposals import Proposals
from tune.rungs import Rungs
from tune.spaces import Sample, Space

LEDGER: Final = "ledger.jsonl"
TRIALS: Final = "trials"
TUNE: Final = "tune"
STOP: Final = "stop"
TOLD: Final = (STEP, OBJECTIVE, LOW, HIGH, "fauc_1")
TRIAL_CPUS: Final = 0.01
"""A trial only waits for its Train workers, which have a placement group of their own."""
DEATHS: Final = 3
"""Deaths of a trial's process after which it has failed; each time it goes on where it was."""
log = logging.getLogger(__name__)
Objective = Callable[[Sample, Path], Iterator[Mapping[str, float]]]


@dataclass(frozen=True)
class Plan:
    """What is searched.

    Attributes:
        space: Where samples come from.
        samples: Trials of a drawn space.
        concurrent: Trials at a time.
        seed: Of the draws.
        rungs: Where bad trials are stopped.
    """

    space: Space
    samples: int
    concurrent: int
    seed: int
    rungs: Rungs


def run_search(plan: Plan, objective: Objective, out: Path) -> Ledger:
    """Run what is not yet done; Ray is up already.

    Args:
        plan: The search.
        objective: Runs a sample in a folder; called in a process of its own.
        out: Holds the ledger, the trials' folders, and what Tune writes for TensorBoard.

    Returns:
        All trials, each with its end.

    Raises:
        DataError: The ledger is damaged.
        MgrayError: Tune came back before all trials had ended.
    """
    ledger = Ledger(out / LEDGER)
    total = plan.space.size(plan.samples)
    todo = ledger.open_numbers(total)
    if not todo:
        return ledger
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # our bar instead of Ray's
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # its own returns as if all was done
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # deaths are told by the bar
    trial = partial(_trial, objective=objective, out=out)
    tuner = tune.Tuner(
        tune.with_resources(trial, {"CPU": TRIAL_CPUS}),
        tune_config=tune.TuneConfig(
            num_samples=len(todo),
            max_concurrent_trials=plan.concurrent,
            search_alg=Proposals(plan.space, ledger, plan.seed, todo),
            scheduler=Keeper(ledger, plan.rungs, out),
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=TUNE,
            storage_path=str(out),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=DEATHS),
            callbacks=[Progress(ledger, todo, plan.rungs.steps)],
        ),
    )
    tuner.fit()
    return _check_ended(Ledger(out / LEDGER), total)


def trial_folder(out: Path, number: int) -> Path:
    """Where a trial of a search does its work."""
    return out / TRIALS / f"{number:04d}"


class Keeper(FIFOScheduler):
    """Write down what trials report, and ask those to stop that are worse.

    Args:
        ledger: Of the search.
        rungs: Where trials are compared.
        out: Of the search.
    """

    def __init__(self, ledger: Ledger, rungs: Rungs, out: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray declares no types here
        self.ledger, self.rungs, self.out = ledger, rungs, out

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Note a validation; Tune itself always goes on."""
        if STEP in result:
            number = trial.config["trial"]
            self.ledger.report(number, {name: result[name] for name in TOLD if name in result})
            newest = result[STEP] == self.ledger.trials[number].last[STEP]
            if newest and self.rungs.is_worse(self.ledger.trials, number):
                self._stop_file(number).touch()
        return TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Note how a trial ended that says so itself."""
        number = trial.config["trial"]
        last = self.ledger.trials[number].last.get(STEP, 0)
        if result.get("error") or not self.ledger.trials[number].reports:
            self.ledger.end(number, "failed", result.get("error") or "it reported nothing")
        elif self._stop_file(number).exists() and last < self.rungs.steps:
            self.ledger.end(number, "stopped")
        else:
            self.ledger.end(number, "done")

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Note that a trial failed, if Tune does not try it again."""
        if trial.should_recover():
            return
        said = str(trial.get_error() or "its process died").strip().splitlines()[-1]
        self.ledger.end(trial.config["trial"], "failed", said)

    def _stop_file(self, number: int) -> Path:
        return trial_folder(self.out, number) / STOP


class Progress(tune.Callback):
    """A bar of steps with its ETA, and gauges for Ray's dashboard.

    Args:
        ledger: Of the search.
        numbers: Trials to be run.
        steps: Of a whole trial; one that is stopped early counts as whole, one that failed as far
            as it got, since it may be tried again.
    """

    def __init__(self, ledger: Ledger, numbers: Sequence[int], steps: int) -> None:
        self.ledger, self.numbers, self.steps = ledger, numbers, steps
        self.before = self._done()

    def setup(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        total = len(self.numbers) * self.steps - self.before
        self.bar = Bar("sweep", total, "steps").__enter__()
        self.best = Gauge("mgray_search_best", "Highest FAUC-1 of a finished trial")
        self.ended = Gauge("mgray_search_trials", "Trials of a search", tag_keys=("end",))

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Show its steps."""
        self._show()

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Show its end."""
        self._show()

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        """Show its end."""
        self._show()

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Tell of a death."""
        log.info("trial %s: its process died; it goes on where it was", trial)

    def on_experiment_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock; Tune says so before the start, too."""
        if hasattr(self, "bar"):
            self.bar.__exit__(None, None, None)

    def _done(self) -> int:
        known = [self.ledger.trials[n] for n in self.numbers if n in self.ledger.trials]
        whole = ("done", "stopped")
        return sum(self.steps if t.end in whole else int(t.last.get(STEP, 0)) for t in known)

    def _show(self) -> None:
        trials = self.ledger.trials.values()
        ends = [trial.end for trial in trials]
        best = max((t.last[OBJECTIVE] for t in trials if t.end == "done"), default=0.0)
        self.best.set(best)
        for end in ("done", "stopped", "failed"):
            self.ended.set(ends.count(end), {"end": end})
        new = self._done() - self.before - self.bar.done
        if new > 0:
            told = ", ".join(f"{ends.count(end)} {end}" for end in ("done", "stopped", "failed"))
            self.bar.advance(new, f"{told}, best {OBJECTIVE} {best:.3f}")


def _check_ended(ledger: Ledger, total: int) -> Ledger:
    """Return the ledger of a search that is over: of another, the best is not the winner."""
    rest = ledger.unended(total)
    if rest:
        raise MgrayError(
            f"{len(rest)} of {total} trials have not ended, the first of them trial {rest[0]}, so "
            f"that there is no winner yet: {CONTINUE}"
        )
    return ledger


def _name(trial: Any) -> str:
    return f"{trial.config['trial']:04d}"


def _trial(config: dict[str, Any], *, objective: Objective, out: Path) -> None:
    """Run one sample in Tune's process; what it cannot do is an answer, not a failure to retry."""
    sample = {key: value for key, value in config.items() if key != "trial"}
    folder = trial_folder(out, config["trial"])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for row in objective(sample, folder):
            tune.report({**row, "timesteps_total": row[STEP]})  # TensorBoard's axis
    except MgrayError as error:
        tune.report({"error": str(error)})
