import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from mgray.config import replace
from mgray.training.config import OptimizerConfig
from mgray.training.schedule import Standing, learning_rate

CONFIG = OptimizerConfig(learning_rate=1.0, warmup_steps=10, final_fraction=0.1)


def test_the_rate_rises_linearly_over_the_warmup() -> None:
    rates = [learning_rate(step, 100, CONFIG) for step in range(10)]
    assert rates == pytest.approx([(step + 1) / 10 for step in range(10)])


def test_the_rate_never_rises_after_the_warmup() -> None:
    rates = [learning_rate(step, 100, CONFIG) for step in range(9, 100)]
    assert rates == sorted(rates, reverse=True)


def test_the_last_step_has_the_final_share() -> None:
    assert learning_rate(99, 100, CONFIG) == pytest.approx(0.1)


def test_a_stage_shorter_than_its_warmup_still_reaches_the_peak() -> None:
    assert max(learning_rate(step, 4, CONFIG) for step in range(4)) == pytest.approx(1.0)


def test_a_single_step_trains_at_the_peak() -> None:
    assert learning_rate(0, 1, CONFIG) == pytest.approx(1.0)


@pytest.mark.parametrize("steps", [7, 20, 100])
def test_one_cycle_is_torchs(steps: int) -> None:
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = OneCycleLR(optimizer, max_lr=1.0, total_steps=steps, cycle_momentum=False)
    wanted = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no step is taken here
        for _ in range(steps):
            wanted.append(optimizer.param_groups[0]["lr"])
            if len(wanted) < steps:
                theirs.step()
    config = replace(CONFIG, {"schedule": "one_cycle"})
    assert [learning_rate(step, steps, config) for step in range(steps)] == pytest.approx(wanted)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_one_cycle_of_a_few_steps_stays_below_its_peak(steps: int) -> None:
    config = replace(CONFIG, {"schedule": "one_cycle"})
    assert all(0 < learning_rate(step, steps, config) <= 1 for step in range(steps))


@pytest.mark.parametrize("patience", [0, 2])
def test_a_plateau_is_torchs(patience: int) -> None:
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = ReduceLROnPlateau(
        optimizer, mode="max", factor=0.5, patience=patience, threshold=0.0, eps=0.0
    )
    config = replace(
        CONFIG, {"schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": patience}
    )
    standing = Standing()
    for score in np.random.default_rng(0).random(60).tolist():
        theirs.step(score)
        standing.judge(score, config)
        rate = learning_rate(50, 100, config, standing.reductions)
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
    assert standing.reductions > 3


def test_the_constant_rate_is_the_peak_after_the_warmup() -> None:
    config = replace(CONFIG, {"schedule": "constant"})
    assert learning_rate(0, 100, config) == pytest.approx(0.1)
    assert {learning_rate(step, 100, config) for step in range(10, 100)} == {1.0}


def test_only_a_higher_score_is_better() -> None:
    standing = Standing()
    assert [standing.judge(score, CONFIG) for score in (0.1, 0.1, 0.3, 0.2)] == [
        True, False, True, False
    ]  # fmt: skip
    assert (standing.best, standing.stale) == (0.3, 1)
