"""Tests of mgray.config."""

from pathlib import Path

import pytest
from pydantic import Field, model_validator

from mgray.config import (
    Config,
    build,
    fingerprint,
    leaf_keys,
    load_yaml,
    nest,
    parse_overrides,
    replace,
    save_yaml,
)
from mgray.errors import ConfigError, NotFoundError


class Optimizer(Config):
    learning_rate: float = 1e-4
    """Step size."""


class Run(Config):
    seed: int = 0
    """Seed of everything."""
    out: Path = Path("runs")
    """Where results go."""
    optimizer: Optimizer = Optimizer()
    """How weights move."""
    sides: tuple[int, int] = (1, 2)
    """Height and width."""


class Ordered(Config):
    least: int = 0
    most: int = 1

    @model_validator(mode="after")
    def _rises(self) -> "Ordered":
        if self.least > self.most:
            raise ValueError(f"least={self.least}: expected at most most={self.most}")
        return self


class Needs(Config):
    data: Path = Field(description="Folder of the image table.")


def test_replace_changes_a_nested_key_and_leaves_the_original():
    base = Run()
    assert replace(base, {"optimizer.learning_rate": 0.1}).optimizer.learning_rate == 0.1
    assert base.optimizer.learning_rate == 1e-4


def test_unknown_key_names_the_nearest_one():
    with pytest.raises(
        ConfigError,
        match=r"unknown key 'optimizer.learning_rat': did you mean 'optimizer.learning_rate'\?",
    ):
        replace(Run(), {"optimizer.learning_rat": 1})


def test_unknown_key_in_a_file_names_the_nearest_one():
    with pytest.raises(ConfigError, match="unknown key 'sed': did you mean 'seed'"):
        build(Run, {"sed": 3})


def test_wrong_value_names_key_value_and_expectation():
    with pytest.raises(ConfigError, match="seed='many': Input should be a valid integer"):
        replace(Run(), {"seed": "many"})


def test_missing_key_says_what_it_means_and_how_to_give_it():
    with pytest.raises(
        ConfigError, match=r"data is missing \(Folder of the image table.\): give data=VALUE"
    ):
        build(Needs, {})


def test_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Run().seed = 1  # type: ignore[misc]  # the refusal is the claim


def test_not_a_number_is_refused():
    with pytest.raises(ConfigError, match="finite"):
        replace(Run(), {"optimizer.learning_rate": float("nan")})


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("a=3", 3),
        ("a=3e-4", 3e-4),
        ("a=true", True),
        ("a=null", None),
        ("a=[1, 2]", [1, 2]),
        ("a=[1e-3, no]", [1e-3, "no"]),
        ("a='3'", "3"),
        ("a=x=y", "x=y"),
        ("a=", ""),
        ("a=no", "no"),
        ("a=2024-01-01", "2024-01-01"),
        ("a=007", "007"),
        ("a=[x", "[x"),
        ("a=@x", "@x"),
        ("a=*x", "*x"),
        ("a=b: c", "b: c"),
    ],
)
def test_override_values_mean_what_they_say(word, value):
    assert parse_overrides([word]) == {"a": value}


def test_word_without_equals_is_refused():
    with pytest.raises(ConfigError, match="'fast' is not key=value"):
        parse_overrides(["fast"])


def test_a_rule_over_several_keys_says_no_more_than_it_says():
    with pytest.raises(ConfigError, match=r"^least=2: expected at most most=1$"):
        build(Ordered, {"least": 2})


def test_nest_opens_dotted_keys():
    assert nest({"a.b": 1, "a.c": 2, "d": 3}) == {"a": {"b": 1, "c": 2}, "d": 3}


@pytest.mark.parametrize("words", [["a=5", "a.b=3"], ["a.b=3", "a=5"]])
def test_a_key_and_its_part_together_are_one_clear_line(words):
    with pytest.raises(ConfigError, match="give one of both"):
        nest(parse_overrides(words))


@pytest.mark.parametrize("name", ["20240101", "2024-01-01", "no", "on", "007", "[x", "a: b"])
def test_a_folder_may_have_any_name(name):
    assert build(Run, parse_overrides([f"out={name}"])).out == Path(name)


@pytest.mark.parametrize("name", ["true", "1.50", "[x]"])
def test_a_name_that_means_something_else_gets_a_remedy(name):
    with pytest.raises(ConfigError, match=r"expected a path: put \./ before a name"):
        build(Run, parse_overrides([f"out={name}"]))
    assert build(Run, parse_overrides([f"out=./{name}"])).out == Path(name)


def test_leaf_keys_are_dotted():
    assert leaf_keys(Run) == ["seed", "out", "optimizer.learning_rate", "sides"]


def test_equal_configs_have_equal_fingerprints():
    assert fingerprint(Run(seed=1)) == fingerprint(replace(Run(), {"seed": 1}))


def test_other_configs_have_other_fingerprints():
    assert fingerprint(Run(seed=1)) != fingerprint(Run(seed=2))


def test_yaml_round_trip_is_equal(tmp_path):
    config = Run(seed=7, out=Path("x"))
    save_yaml(config, tmp_path / "config.yaml")
    assert load_yaml(Run, tmp_path / "config.yaml") == config


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(NotFoundError, match="give a recipe's name or a saved YAML"):
        load_yaml(Run, tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["a: [", "just words"])
def test_a_file_that_is_no_config_is_one_line(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_yaml(Run, tmp_path / "bad.yaml")
