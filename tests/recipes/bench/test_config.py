import pytest

from mgray.config import build
from mgray.errors import ConfigError
from mgray.recipes.bench.config import BenchConfig


def test_all_parts_run_unless_told_otherwise() -> None:
    told = (
        *("ingest", "codecs", "reader", "sampler"),
        *("catalog", "train", "gpu", "serve", "load", "bootstrap", "help"),
    )
    assert BenchConfig().which == told
    assert build(BenchConfig, {"which": ["help"]}).which == ("help",)


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(ConfigError, match="ingst"):
        build(BenchConfig, {"which": ["ingst"]})


def test_workers_that_could_not_fill_two_shards_are_refused() -> None:
    assert build(BenchConfig, {"exams": 8, "workers": 2}).workers == 2
    with pytest.raises(ConfigError, match=r"workers=3: .*at most a quarter of exams"):
        build(BenchConfig, {"exams": 8, "workers": 3})
