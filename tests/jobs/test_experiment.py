import pytest

from mgray.recipes.arms import ARMS
from tests.console import run_job


def test_help_names_every_arm_and_says_what_a_trace_is() -> None:
    done = run_job("experiment", "--help")
    assert done.returncode == 0
    assert all(f"  {name}" in done.stdout for name in ARMS)
    assert "trace=-0.5" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "recipe is missing"),
        (("fusion.tiny", "arms=[mismached]"), "unknown arm 'mismached': did you mean 'mismatched'"),
        (
            ("fusion.tiny", "phantom=[visibility.trace_share=0.5]"),
            "visibility.trace_share is the dose: give doses=[...] instead",
        ),
        (("fusion.tiny", "bootstrap.method=bca"), "intervals over seeds are percentile only"),
        (("fusion.smoke",), "recipe='fusion.smoke': Input should be 'fusion.tiny' or"),
    ],
)
def test_a_wrong_word_is_one_clear_line(words: tuple[str, ...], message: str) -> None:
    done = run_job("experiment", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
