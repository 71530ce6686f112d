"""The table of a search: one row for each trial, best first."""

from collections.abc import Collection
from typing import Any, Final

from tune.ledger import HIGH, LOW, OBJECTIVE, STEP, Ledger, Trial

RANKS: Final = {"done": 0, "stopped": 1, None: 2, "failed": 3}
MEASURED: Final = ("fauc_1", OBJECTIVE, LOW, HIGH)


def build_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Make a row of each trial: number, end, sample, measures, steps trained, error.

    Trials that were stopped early stand below all that were not, whatever they had reached.
    """
    return [
        {
            "trial": trial.number,
            "end": trial.end or "unfinished",
            **trial.sample,
            **{name: trial.last.get(name) for name in MEASURED},
            "steps": trial.last.get(STEP, 0),
            "error": trial.error,
        }
        for trial in sorted(ledger.trials.values(), key=_rank)
    ]


def winner_of(trials: Collection[Trial]) -> Trial | None:
    """Return the best of the trials that were trained to the end; None if there is none."""
    done = sorted((trial for trial in trials if trial.end == "done"), key=_rank)
    return done[0] if done else None


def rivals_of(trials: Collection[Trial], winner: Trial) -> int:
    """Count the finished trials that cannot be told from the winner: their intervals reach it."""
    return sum(
        trial.last.get(HIGH, 1.0) >= winner.last[OBJECTIVE]
        for trial in trials
        if trial.end == "done" and trial.number != winner.number
    )


def _rank(trial: Trial) -> tuple[int, float, float, int]:
    reached = trial.last.get(OBJECTIVE, 0.0)
    steps = trial.last.get(STEP, 0) if trial.end == "stopped" else 0
    return RANKS[trial.end], -steps, -reached, trial.number
