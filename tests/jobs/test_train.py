"""What the command line says; training itself is tested in tests/training."""

from pathlib import Path

import pytest

from mgray.config import leaf_keys
from mgray.recipes.fusion_config import FusionRun
from tests.console import run_job


def test_help_names_the_recipes() -> None:
    done = run_job("train", "--help")
    assert done.returncode == 0
    assert "fusion.smoke" in done.stdout
    assert "fusion.base" in done.stdout


@pytest.mark.parametrize("words", [("--help",), ("fusion.smoke", "--help")])
def test_help_lists_every_key_with_its_meaning(words: tuple[str, ...]) -> None:
    lines = run_job("train", *words).stdout.split("\n")
    keys = [line.partition("=")[0].strip() for line in lines]
    assert set(leaf_keys(FusionRun)) <= set(keys)
    assert all(lines[keys.index(key) + 1].strip() for key in leaf_keys(FusionRun))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "error: no recipe given: expected fusion.base, fusion.smoke, fusion.tiny, "),
        (("fusion.smok",), "error: unknown recipe 'fusion.smok': did you mean 'fusion.smoke'?"),
        (("fusion.smoke", "traim.workers=1"), "error: unknown key 'traim.workers'"),
        (("fusion.smoke", "data=/nowhere"), "error: no image table in '/nowhere'"),
    ],
)
def test_a_wrong_word_is_one_clear_line(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = run_job("train", *words, *([f"out={tmp_path / 'run'}"] if len(words) > 1 else []))
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
