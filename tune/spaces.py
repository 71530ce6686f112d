"""Search spaces over dotted config keys: points of a grid, or ranges to draw from.

References:
    docs/PAPERS.md 1.4.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from optuna.distributions import FloatDistribution

Sample = dict[str, float]

ALPHA: Final = "loss.alpha_positive"
GAMMA_0: Final = "loss.gamma_negative"
GAMMA_1: Final = "loss.gamma_positive"
RATE: Final = "optimizer.learning_rate"
GRID: Final[Mapping[str, Sequence[float]]] = {
    ALPHA: (0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
    GAMMA_0: (0.0, 1.25, 2.5, 3.75, 5.0),
    GAMMA_1: (0.0, 1.25, 2.5, 3.75, 5.0),
    RATE: (1e-5, 5e-5, 1.5e-4, 5e-4, 1e-3),
}


@dataclass(frozen=True)
class Space:
    """Either of the two.

    Attributes:
        points: All settings, in the order in which they are tried.
        ranges: To draw from.
    """

    points: Sequence[Sample] = ()
    ranges: Mapping[str, FloatDistribution] = field(default_factory=dict)

    def size(self, samples: int) -> int:
        """How many trials there are, if so many were asked for of a drawn space."""
        return len(self.points) or samples


def two_point() -> Space:
    """The paper's best, and focal loss's usual setting at a faster rate."""
    paper = {ALPHA: 0.9, GAMMA_0: 2.5, GAMMA_1: 2.5, RATE: 1.5e-4}
    usual = {ALPHA: 0.25, GAMMA_0: 2.0, GAMMA_1: 2.0, RATE: 1e-3}
    return Space(points=[paper, usual])


def grid() -> Space:
    """The paper's ranges in steps; its best is one of the 750 points."""
    return Space(
        points=[dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    )


def focal() -> Space:
    """The paper's ranges: alpha, gamma_0, gamma_1 and the learning rate."""
    return Space(
        ranges={
            ALPHA: FloatDistribution(0.1, 0.95),
            GAMMA_0: FloatDistribution(0.0, 5.0),
            GAMMA_1: FloatDistribution(0.0, 5.0),
            RATE: FloatDistribution(1e-5, 1e-3, log=True),
        }
    )


SPACES: Final[dict[str, Callable[[], Space]]] = {
    "focal": focal,
    "grid": grid,
    "two_point": two_point,
}
