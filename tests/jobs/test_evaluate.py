from pathlib import Path

import pytest

from jobs.evaluate import run
from mgray.errors import NotFoundError
from mgray.reports.config import EvaluateConfig
from tests.console import run_job


def test_help_lists_the_keys_with_their_meaning() -> None:
    done = run_job("evaluate", "--help")
    assert done.returncode == 0
    for words in ("hit.min_radius_mm=null", "bootstrap.replicates=10000", "exit codes"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run=a", "data=b"], "out is missing"),
        (
            ["a", "b", "c", "hit.profil=dbtex"],
            "unknown key 'hit.profil': did you mean 'hit.profile'?",
        ),
        (["a", "b", "c", "split=train"], "split='train'"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(words: list[str], line: str) -> None:
    done = run_job("evaluate", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    config = EvaluateConfig(run=tmp_path, data=tmp_path / "none", out=tmp_path / "out")
    with pytest.raises(NotFoundError, match=r"no image table in .*none"):
        run(config)
