"""When a trial is stopped early: successive halving that takes noise for noise.

Plain ASHA (arXiv:1810.05934) stops whatever is not among the best 1/reduction of a rung. On a few
hundred validation patients most of such differences are chance, so that a good setting is lost as
easily as a bad one. Here the trial's whole 95 % interval must lie below the rung's cut. The cut is
the others' point value: all trials are measured on the same patients, so that the difference of two
varies less than either alone, and one interval against a point errs on the side of going on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tune.ledger import HIGH, OBJECTIVE, STEP, Row, Trial


@dataclass(frozen=True)
class Rungs:
    """Where trials are compared.

    Attributes:
        steps: Of a whole trial.
        count: How often it may be stopped; 0 never.
        reduction: The best 1/reduction at a rung are never stopped there.
    """

    steps: int
    count: int
    reduction: float

    @property
    def milestones(self) -> list[int]:
        """Steps after which a trial is compared, the last first."""
        found = {math.ceil(self.steps / self.reduction**k) for k in range(1, self.count + 1)}
        return sorted(found - {self.steps}, reverse=True)

    def is_worse(self, trials: Mapping[int, Trial], number: int) -> bool:
        """Tell whether a trial's newest report, its first at a rung, shows that it is worse."""
        *before, last = trials[number].reports
        passed = [rung for rung in self.milestones if last[STEP] >= rung]
        if not passed or _first(before, passed[0]) or last[STEP] >= self.steps:
            return False
        others = [_first(t.reports, passed[0]) for n, t in trials.items() if n != number]
        values = [row[OBJECTIVE] for row in others if row]
        if not values or HIGH not in last:
            return False
        return bool(last[HIGH] < np.quantile(values, 1 - 1 / self.reduction))


def _first(reports: Sequence[Row], step: int) -> Row | None:
    return next((row for row in reports if row[STEP] >= step), None)
