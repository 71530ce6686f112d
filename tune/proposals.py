"""What to try next: points of a grid in their order, else Optuna's TPE on all that is known.

A draw depends on the seed, the trial's number and what the ledger holds, on nothing else: a search
that was killed needs no other memory.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial
from ray.tune.search import Searcher

from tune.ledger import OBJECTIVE, STEP, Ledger, Trial
from tune.spaces import Sample, Space

STATES: Final = {
    "done": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    None: TrialState.RUNNING,
}


class Proposals(Searcher):
    """Hand out the trials that are still to be run, as Tune asks for them.

    Args:
        space: Where samples come from.
        ledger: Told of every trial that starts.
        seed: Of the draws.
        numbers: Trials to be run; those that the ledger knows keep their sample.
    """

    def __init__(self, space: Space, ledger: Ledger, seed: int, numbers: Iterable[int]) -> None:
        super().__init__()  # no metric: Tune would end the search at the first trial that fails
        self.space, self.ledger, self.seed = space, ledger, seed
        self.waiting = list(numbers)

    def suggest(self, trial_id: str) -> Any:
        """Give the next trial's number and sample."""
        if not self.waiting:
            return Searcher.FINISHED
        number = self.waiting.pop(0)
        known = self.ledger.trials
        sample = known[number].sample if number in known else self._draw(number)
        self.ledger.start(number, sample)
        return {"trial": number, **sample}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing to remember: the ledger does."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the ledger is on file."""

    def _draw(self, number: int) -> Sample:
        if self.space.points:
            return self.space.points[number]
        return draw(self.space, number, self.seed, self.ledger.trials.values())


def draw(space: Space, number: int, seed: int, known: Iterable[Trial]) -> Sample:
    """Draw a sample near those that did well; the first ten are random.

    Trials that were stopped early count as worse than all that were not, the later the better;
    trials that still run are kept away from; failed ones tell nothing.

    References:
        Bergstra et al., NeurIPS 2011 (TPE), as Optuna implements it.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    own = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(seed=own, constant_liar=True)  # knows of running trials
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials(_frozen(space, trial) for trial in known)
    return dict(study.ask(dict(space.ranges)).params)


def _frozen(space: Space, trial: Trial) -> FrozenTrial:
    return create_trial(
        state=STATES[trial.end],
        value=trial.last.get(OBJECTIVE) if trial.end == "done" else None,
        params=dict(trial.sample),
        distributions=dict(space.ranges),
        intermediate_values={int(row[STEP]): row[OBJECTIVE] for row in trial.reports},
    )
