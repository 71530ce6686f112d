import pytest

from mgray.config import build
from mgray.errors import ConfigError
from mgray.ingest.config import IngestConfig

TOLD = {"source": "csv", "archive": "a", "out": "b"}


def test_three_words_are_enough():
    assert build(IngestConfig, TOLD).max_rejected is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sorce": "csv"}, "did you mean 'source'"),
        ({"source": "phantm"}, "did you mean 'phantom'.*samples"),
        ({"workers": 0}, "greater than or equal to 1"),
        ({"max_rejected": -1}, "greater than or equal to 0"),
    ],
)
def test_wrong_word_is_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        build(IngestConfig, {**TOLD, **changes})
