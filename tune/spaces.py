"""Search spaces: dotted config keys to Ray Tune's distributions.

A key ``point`` holds whole settings, for grids over several keys at once.
"""

import math
from collections.abc import Callable
from typing import Any, Final

Space = dict[str, Any]

ALPHA: Final = "loss.alpha_positive"
GAMMA_0: Final = "loss.gamma_negative"
GAMMA_1: Final = "loss.gamma_positive"
RATE: Final = "optimizer.learning_rate"


def two_point() -> Space:
    """A grid of two settings: the paper's best, and focal loss's usual one at a faster rate."""
    from ray import tune

    paper = {ALPHA: 0.9, GAMMA_0: 2.5, GAMMA_1: 2.5, RATE: 1.5e-4}
    usual = {ALPHA: 0.25, GAMMA_0: 2.0, GAMMA_1: 2.0, RATE: 1e-3}
    return {"point": tune.grid_search([paper, usual])}


def focal() -> Space:
    """The paper's search: alpha, gamma_0, gamma_1 and the learning rate (docs/PAPERS.md 1.4)."""
    from ray import tune

    return {
        ALPHA: tune.uniform(0.1, 0.95),
        GAMMA_0: tune.uniform(0.0, 5.0),
        GAMMA_1: tune.uniform(0.0, 5.0),
        RATE: tune.loguniform(1e-5, 1e-3),
    }


SPACES: Final[dict[str, Callable[[], Space]]] = {"two_point": two_point, "focal": focal}


def flatten(sample: Space) -> Space:
    """Open the key ``point``, so that a sample is dotted keys only."""
    rest = {key: value for key, value in sample.items() if key != "point"}
    return {**sample.get("point", {}), **rest}


def count_points(space: Space) -> int:
    """How many trials one pass over a space's grids takes; 1 where there is none."""
    grids = [value["grid_search"] for value in space.values() if isinstance(value, dict)]
    return math.prod(len(grid) for grid in grids)
