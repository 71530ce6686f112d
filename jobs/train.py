"""Train a recipe on Ray Train; run again, it continues.

    python -m jobs.train RECIPE data=TABLE out=RUN key=value ...

RECIPE is fusion.smoke (the demo: two cores), fusion.base (the paper's scale: GPUs), fusion.tiny or
fusion.phantom (jobs.experiment), or a saved config.resolved.yaml. TABLE is what jobs.ingest wrote.
Any key of the config can be changed, e.g. optimizer.learning_rate=3e-4 loss.alpha_positive=0.5
train.steps.sm=500; train.workers=0 trains in this process without Ray. Models go to RUN/models,
learning curves to RUN/stages, the config to RUN/config.resolved.yaml. The keys, with the defaults
that the recipes start from:
"""

import logging

from mgray.cli import field_help, guard
from mgray.config import parse_overrides
from mgray.errors import ConfigError
from mgray.recipes.catalog import RECIPES, load_recipe
from mgray.recipes.fusion_config import FusionRun


def run(words: list[str]) -> None:
    """Train what the words name."""
    if not words or "=" in words[0]:
        raise ConfigError(f"no recipe given: expected {', '.join(RECIPES)} or a saved .yaml")
    config = load_recipe(words[0], parse_overrides(words[1:]))
    from mgray.recipes.fusion import run_fusion

    logging.getLogger(__name__).info("models: %s", run_fusion(config))


if __name__ == "__main__":
    guard(__doc__ or "", run, field_help(FusionRun))
