import asyncio
import shutil
from pathlib import Path

import pytest

from mgray.errors import ConfigError, DataError
from mgray.models.shelf import Shelf
from serve.models import Models, default_name
from serve.problems import Problem


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Two models; the first has two versions. Only their places matter here."""
    for place in ("fused/1", "fused/2", "sm/1"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "config.json").write_text("{}")
    shelf = Shelf(tmp_path)
    shelf.choose("fused", "1")
    return shelf


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("name", "version", "chosen"),
    [
        (None, None, "fused/1"),
        (None, "2", "fused/2"),
        ("fused", None, "fused/1"),
        ("sm", "1", "sm/1"),
    ],
)
def test_the_wanted_model_is_chosen(
    shelf: Shelf, name: str | None, version: str | None, chosen: str
) -> None:
    assert Models(shelf, "fused").choose(name, version) == chosen


@pytest.mark.parametrize(("name", "version"), [("x", None), ("fused", "3"), ("sm", None)])
def test_a_model_that_is_not_there_is_404(
    shelf: Shelf, name: str | None, version: str | None
) -> None:
    with pytest.raises(Problem) as refused:
        Models(shelf, "fused").choose(name, version)
    assert (refused.value.status, refused.value.code) == (404, "unknown_model")


def test_another_choice_is_seen_within_a_second(shelf: Shelf) -> None:
    clock = Clock()
    models = Models(shelf, "fused", clock)
    shelf.choose("fused", "2")
    clock.seconds = 1.0
    assert models.choose(None, None) == "fused/2"


def test_a_shelf_that_cannot_be_read_changes_nothing(shelf: Shelf) -> None:
    clock = Clock()
    models = Models(shelf, "fused", clock)
    shutil.rmtree(shelf.root)
    clock.seconds = 1.0
    assert models.choose(None, None) == "fused/1"


def test_the_version_that_answered_last_stands_in(shelf: Shelf) -> None:
    models = Models(shelf, "fused")
    models.answered("fused/1", None)
    assert models.fallback("fused/2", None) == "fused/1"


@pytest.mark.parametrize("answered", ["fused/2", "sm/1"])
def test_without_one_the_model_is_unavailable(shelf: Shelf, answered: str) -> None:
    models = Models(shelf, "fused")
    models.answered(answered, None)
    with pytest.raises(Problem) as refused:
        models.fallback("fused/2", None)
    assert refused.value.status == 503


def test_of_several_models_one_must_be_the_default(shelf: Shelf) -> None:
    assert default_name(shelf, "sm") == "sm"
    with pytest.raises(ConfigError, match="expected one of fused, sm"):
        default_name(shelf, None)


def test_an_only_model_is_the_default(shelf: Shelf) -> None:
    assert default_name(Shelf(shelf.root / "sm" / "1"), None) == "1"


def test_a_version_that_was_asked_for_has_no_stand_in_and_is_none(shelf: Shelf) -> None:
    models = Models(shelf, "fused")
    models.answered("fused/0", "0")
    with pytest.raises(Problem):
        models.fallback("fused/2", None)
    models.answered("fused/1", None)
    with pytest.raises(Problem):
        models.fallback("fused/2", "2")


def test_a_model_that_cannot_be_loaded_is_answered_for_by_the_last_one(shelf: Shelf) -> None:
    async def call(model: str) -> str:
        if model == "fused/1":
            raise DataError("cannot be loaded")
        return f"answer of {model}"

    models = Models(shelf, "fused")
    models.answered("fused/2", None)
    assert asyncio.run(models.ask(None, None, call)) == ("fused/2", "answer of fused/2")


def test_if_the_last_one_cannot_be_loaded_either_it_is_503(shelf: Shelf) -> None:
    async def call(model: str) -> str:
        raise DataError("cannot be loaded")

    models = Models(shelf, "fused")
    models.answered("fused/2", None)
    with pytest.raises(Problem) as refused:
        asyncio.run(models.ask(None, None, call))
    assert (refused.value.status, refused.value.code) == (503, "unavailable")
