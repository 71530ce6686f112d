"""AdamW over what is not frozen; warm-up and cosine as a function of the step alone."""

import math

from torch import nn
from torch.optim import AdamW, Optimizer

from mgray.training.config import OptimizerConfig


def build_optimizer(task: nn.Module, config: OptimizerConfig) -> Optimizer:
    """Return AdamW over what needs a gradient; vectors and scalars are not decayed."""
    trained = [parameter for parameter in task.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=config.learning_rate)


def learning_rate(step: int, steps: int, config: OptimizerConfig) -> float:
    """Return the rate of one step: linear from zero, then half a cosine.

    Args:
        step: From 0.
        steps: Of the whole stage.
        config: Peak, warm-up and final share.
    """
    warmup = min(config.warmup_steps, steps // 2)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(steps - 1 - warmup, 1)
    share = (
        config.final_fraction + (1 - config.final_fraction) * (1 + math.cos(math.pi * progress)) / 2
    )
    return config.learning_rate * share
