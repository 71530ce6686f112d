"""AdamW over what is not frozen."""

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
