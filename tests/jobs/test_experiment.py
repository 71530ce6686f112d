import subprocess
import sys
from pathlib import Path

import pytest

from mgray.recipes.arms import ARMS

ROOT = Path(__file__).parents[2]


def run_job(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs.experiment", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_help_names_every_arm_and_says_what_a_trace_is() -> None:
    done = run_job("--help")
    assert done.returncode == 0
    assert all(f"  {name}" in done.stdout for name in ARMS)
    assert "trace=0" in done.stdout


def test_help_needs_no_torch() -> None:
    code = "import sys, jobs.experiment; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "recipe is missing"),
        (("fusion.tiny", "arms=[mismached]"), "unknown arm 'mismached': did you mean 'mismatched'"),
        (("fusion.smoke",), "recipe='fusion.smoke': Input should be 'fusion.tiny' or"),
    ],
)
def test_a_wrong_word_is_one_clear_line(words: tuple[str, ...], message: str) -> None:
    done = run_job(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
