import pytest
import torch
from torch import nn

from mgray.training.config import OptimizerConfig
from mgray.training.optimizer import build_optimizer, learning_rate

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


def test_only_matrices_and_kernels_are_decayed() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decayed, free = build_optimizer(net, OptimizerConfig(weight_decay=0.5)).param_groups
    assert [p.ndim for p in decayed["params"]] == [4]
    assert [p.ndim for p in free["params"]] == [1, 1, 1]
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.5, 0.0)


def test_what_needs_no_gradient_is_left_out() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].requires_grad_(requires_grad=False)
    groups = build_optimizer(net, OptimizerConfig()).param_groups
    held = {id(p) for group in groups for p in group["params"]}
    assert held == {id(p) for p in net[1].parameters()}
    assert isinstance(groups[0]["params"][0], torch.Tensor)
