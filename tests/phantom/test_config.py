from pathlib import Path

import pytest

from mgray.cli import parse
from mgray.config import replace
from mgray.errors import ConfigError
from mgray.phantom.config import ExamConfig, PhantomConfig


def test_shares_are_given_by_dotted_keys() -> None:
    words = ["a", "exams=2", "visibility.both=0.1", "lesions.oval_mass=3", "finding_share=1"]
    config = parse(PhantomConfig, words, ("out",))
    assert config.out == Path("a")
    assert (config.visibility.both, config.lesions.oval_mass, config.finding_share) == (0.1, 3, 1)


def test_shares_that_are_all_zero_are_refused() -> None:
    none = dict.fromkeys(("both", "ffdm_only", "sm_only", "neither"), 0)
    with pytest.raises(ConfigError, match="at least one share"):
        replace(ExamConfig(), {"visibility": none})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("finding_share", 1.5),
        ("visibility.both", -1),
        ("height", 1000),
        ("pixel_mm", 2),
        ("visibility.trace", -2),
    ],
)
def test_values_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=key):
        replace(ExamConfig(), {key: value})


def test_an_unknown_transfer_syntax_is_refused() -> None:
    with pytest.raises(ConfigError, match="transfer_syntax"):
        parse(PhantomConfig, ["out=a", "exams=1", "transfer_syntax=png"])


def test_the_trace_is_no_share() -> None:
    none = {**dict.fromkeys(("both", "ffdm_only", "sm_only", "neither"), 0), "trace": 0.5}
    with pytest.raises(ConfigError, match="at least one share"):
        replace(ExamConfig(), {"visibility": none})
