import torch
from torch import nn

from mgray.training.config import OptimizerConfig
from mgray.training.optimizer import build_optimizer


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
