"""Recipes by name, without Torch: what a command line may ask for."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from mgray.config import load_yaml, replace
from mgray.errors import ConfigError
from mgray.recipes import fusion_config
from mgray.recipes.fusion_config import FusionRun

RECIPES: Final[Mapping[str, Callable[[], FusionRun]]] = {
    "fusion.base": fusion_config.base,
    "fusion.smoke": fusion_config.smoke,
    "fusion.tiny": fusion_config.tiny,
    "fusion.phantom": fusion_config.phantom,
}


def load_recipe(name: str, changes: Mapping[str, Any]) -> FusionRun:
    """Return a recipe's config, or one saved as YAML, with changes.

    Args:
        name: One of ``RECIPES``, or a path that ends in ``.yaml``.
        changes: Dotted key to value.

    Raises:
        ConfigError: No such recipe, key or value.
        NotFoundError: No such file.
    """
    if name not in RECIPES and not name.endswith((".yaml", ".yml")):
        near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.0)
        raise ConfigError(
            f"unknown recipe {name!r}: did you mean {near[0]!r}? "
            f"Known: {', '.join(RECIPES)}, or a saved .yaml"
        )
    config = RECIPES[name]() if name in RECIPES else load_yaml(FusionRun, Path(name))
    return replace(config, changes)
