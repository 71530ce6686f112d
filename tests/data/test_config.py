import pytest

from mgray.data.config import AugmentConfig, DataConfig, PreprocessConfig, SamplerConfig


@pytest.mark.parametrize("config", [AugmentConfig, PreprocessConfig, SamplerConfig])
def test_every_field_says_what_it_means(config: type) -> None:
    assert all(field.description for field in config.model_fields.values())


def test_open_questions_of_the_paper_are_answered_by_its_defaults() -> None:
    config = DataConfig()
    assert config.preprocess.fit == "stretch"
    assert config.sampler.positives == "malignant"
    assert config.partner_findings
