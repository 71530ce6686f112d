from mgray.cli import parse
from mgray.reports.config import EvaluateConfig

WORDS = ["run=a", "data=b", "out=c"]


def test_the_demos_words_are_understood() -> None:
    config = parse(EvaluateConfig, [*WORDS, "hit.min_radius_mm=7.0", "models=[sm, fused]"])
    assert config.hit.min_radius_mm == 7.0
    assert config.models == ("sm", "fused")
