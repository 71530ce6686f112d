import pytest

from mgray.config import leaf_keys, replace
from mgray.errors import ConfigError
from mgray.training.config import (
    AverageConfig,
    DistillationConfig,
    OptimizerConfig,
    TrainConfig,
)


@pytest.mark.parametrize(
    "config", [OptimizerConfig, AverageConfig, TrainConfig, DistillationConfig]
)
def test_every_field_says_what_it_means(config: type) -> None:
    assert all(field.description for field in config.model_fields.values())


def test_the_papers_learning_rate_is_the_default() -> None:
    assert OptimizerConfig().learning_rate == 1.5e-4


def test_open_questions_of_the_paper_are_named_where_they_are_answered() -> None:
    fields = [*TrainConfig.model_fields.values(), *DistillationConfig.model_fields.values()]
    text = " ".join(field.description or "" for field in fields)
    assert all(f"P1-A{number}" in text for number in (16, 17, 18, 19, 20, 21, 22, 23))


def test_an_unknown_choice_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match="cosine"):
        replace(DistillationConfig(), {"cosine": "pixel"})


def test_steps_of_a_stage_have_a_dotted_key() -> None:
    config = TrainConfig(steps={"sm": 1})
    assert replace(config, {"steps.sm": 5}).steps == {"sm": 5}
    assert "steps" in leaf_keys(TrainConfig)
