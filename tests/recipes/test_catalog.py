from pathlib import Path

import pytest

from mgray.config import save_yaml
from mgray.errors import ConfigError, NotFoundError
from mgray.recipes import fusion_config
from mgray.recipes.catalog import RECIPES, load_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_the_function_it_names(name: str) -> None:
    assert load_recipe(name, {}) == getattr(fusion_config, name.partition(".")[2])()


def test_a_wrong_name_is_answered_with_the_nearest_and_all_known() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'fusion\.smoke'\? Known: fusion\.base, "):
        load_recipe("fusion.smok", {})


def test_a_saved_config_is_a_recipe(tmp_path: Path) -> None:
    config = load_recipe("fusion.smoke", {"seed": 3})
    save_yaml(config, tmp_path / "config.yaml")
    assert load_recipe(str(tmp_path / "config.yaml"), {}) == config


def test_a_missing_yaml_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no config file"):
        load_recipe(str(tmp_path / "config.yaml"), {})
