"""A search whose answer is known: a cheap trial that dies at random, by the search's own machinery.

python -m tests.tune.planted OUT TRIALS SEED
"""

import hashlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mgray.cluster import start_ray
from tune.ledger import HIGH, LOW, OBJECTIVE, STEP, Ledger
from tune.rungs import Rungs
from tune.search import STOP, TRIALS, Plan, run_search
from tune.spaces import ALPHA, GAMMA_0, GAMMA_1, RATE, Sample, focal

STEPS: Final = 27
EVERY: Final = 3
"""Steps between two validations, and between two resume states."""
BEST: Final[Sample] = {ALPHA: 0.68, GAMMA_0: 1.7, GAMMA_1: 3.2, RATE: 2.3e-4}
"""Between the points of the grid."""
WIDTHS: Final[Sample] = {ALPHA: 0.3, GAMMA_0: 1.6, GAMMA_1: 1.6, RATE: 0.5}
"""At which half of what the best is ahead of the worst is lost, about; decades for the rate."""
TOP: Final = 0.62
"""The best trial's true FAUC-1 at its end; the paper's."""
HALF: Final = 0.035
"""Half of the interval; the paper's."""
PATIENTS: Final = 0.015
"""Noise that all trials share: they see the same patients."""
OWN: Final = 0.006
"""Noise of each trial's own."""


def truth(sample: Sample, step: float = STEPS) -> float:
    """What a setting reaches on endlessly many patients."""
    far = sum(_distance(key, sample[key]) ** 2 for key in BEST)
    return (0.2 + (TOP - 0.2) * float(np.exp(-far / 2))) * (1 - 0.7 * float(np.exp(-step / 7)))


def measured(sample: Sample, step: int, seed: int) -> dict[str, float]:
    """What the validation patients say, with an interval."""
    shared = np.random.default_rng((seed, step)).normal(0, PATIENTS)
    own = np.random.default_rng((seed, step, _number(sample))).normal(0, OWN)
    value = truth(sample, step) + shared + own
    return {STEP: step, OBJECTIVE: value, LOW: value - HALF, HIGH: value + HALF}


def _distance(key: str, value: float) -> float:
    if key == RATE:
        return float(np.log10(value / BEST[key])) / WIDTHS[key]
    return (value - BEST[key]) / WIDTHS[key]


def _number(sample: Sample) -> int:
    return int(hashlib.sha256(repr(sorted(sample.items())).encode()).hexdigest()[:8], 16)


@dataclass(frozen=True)
class PlantedTrial:
    """Spends steps, keeps a resume state, and is killed at random.

    Attributes:
        seed: Of noise and deaths.
        deaths: Share of the attempts that end in one.
    """

    seed: int
    deaths: float

    def __call__(self, sample: Sample, folder: Path) -> Iterator[Mapping[str, float]]:
        """Yield a row at each validation; earlier ones again after a restart."""
        attempt = len(list(folder.glob("attempt_*")))
        (folder / f"attempt_{attempt}").touch()
        random = np.random.default_rng((self.seed, attempt, _number(sample)))
        dies = random.integers(1, STEPS) if random.random() < self.deaths else None
        state = folder / "state"
        start = int(state.read_text()) if state.is_file() else 0
        for step in range(EVERY, start + 1, EVERY):
            yield measured(sample, step, self.seed)
        for step in range(start + 1, STEPS + 1):
            if (folder / STOP).exists():
                return
            with (folder / "spent").open("a") as file:
                file.write(".")
            if step == dies:
                os.kill(os.getpid(), signal.SIGKILL)
            if step % EVERY == 0:
                state.write_text(str(step))
                yield measured(sample, step, self.seed)


def plan(trials: int, seed: int, concurrent: int = 2) -> Plan:
    """The paper's ranges, stopped at two rungs, as ``tune.sweep`` does by default."""
    return Plan(focal(), trials, concurrent, seed, Rungs(STEPS, 2, 3.0))


def spent(out: Path) -> int:
    """Steps that all attempts of all trials have taken, those that were lost too."""
    return sum(file.stat().st_size for file in (out / TRIALS).glob("*/spent"))


def main(out: str, trials: str, seed: str) -> None:
    """Search in a Ray of its own."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    start_ray(3)
    run_search(plan(int(trials), int(seed)), PlantedTrial(int(seed), 0.15), folder)


def found(ledger: Ledger) -> Sample:
    """The winner's setting."""
    from tune.table import winner_of

    winner = winner_of(ledger.trials.values())
    assert winner
    return winner.sample


if __name__ == "__main__":
    main(*sys.argv[1:])
