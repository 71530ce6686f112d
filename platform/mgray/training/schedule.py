"""The learning rate as a function of the step, and of how validations went."""

import math
from dataclasses import dataclass

from mgray.training.config import OptimizerConfig


@dataclass
class Standing:
    """How validations went; part of the resume state."""

    best: float = -math.inf
    """Highest score so far."""
    stale: int = 0
    """Validations since then."""
    reductions: int = 0
    """How often a plateau has divided the learning rate."""
    waited: int = 0
    """Validations without a new best since the last division."""

    def judge(self, score: float, config: OptimizerConfig) -> bool:
        """Note one validation's score, higher is better; tell whether it is the best so far.

        ``reductions`` counts as ``torch.optim.lr_scheduler.ReduceLROnPlateau`` does.
        """
        better = score > self.best
        if better:
            self.best, self.stale, self.waited = score, 0, 0
            return True
        self.stale, self.waited = self.stale + 1, self.waited + 1
        if self.waited > config.plateau_patience:
            self.reductions, self.waited = self.reductions + 1, 0
        return False


def learning_rate(step: int, steps: int, config: OptimizerConfig, reductions: int = 0) -> float:
    """Return the rate of one step.

    Args:
        step: From 0.
        steps: Of the whole stage.
        config: Peak, warm-up and schedule.
        reductions: Of ``Standing``; for a plateau.
    """
    if config.schedule == "one_cycle":
        return _one_cycle(step, steps, config.learning_rate)
    warmup = min(config.warmup_steps, steps // 2)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.schedule == "plateau":
        return config.learning_rate * config.plateau_factor**reductions
    if config.schedule == "constant":
        return config.learning_rate
    progress = (step - warmup) / max(steps - 1 - warmup, 1)
    share = (
        config.final_fraction + (1 - config.final_fraction) * (1 + math.cos(math.pi * progress)) / 2
    )
    return config.learning_rate * share


def _one_cycle(step: int, steps: int, peak: float) -> float:
    """The rate of Torch's ``OneCycleLR`` with its defaults (arXiv:1708.07120): 30 % up, 70 % down.

    A function, so that a stage resumes at any step; the momenta of AdamW stay.
    """
    top = 0.3 * steps - 1
    first, last = peak / 25, peak / 25 / 1e4
    if step <= top:
        return _anneal(first, peak, step / top)
    return _anneal(peak, last, (step - top) / max(steps - 1 - top, 1))


def _anneal(start: float, end: float, progress: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * progress))
