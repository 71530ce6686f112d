"""The shelf: names, versions, the current one; folders that look like models are enough."""

import shutil
from pathlib import Path

import pytest

from mgray.errors import ConfigError, DataError, NotFoundError
from mgray.models.config import DetectorConfig
from mgray.models.folder import WEIGHTS, ModelMeta, read_meta, write_folder
from mgray.models.saved import build_model, save_model
from mgray.models.shelf import Shelf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small detector."""
    meta = ModelMeta(kind="detector", inputs=("sm",), detector=DetectorConfig(weights="none"))
    folder = tmp_path_factory.mktemp("run") / "sm"
    save_model(folder, build_model(meta), meta)
    return folder


@pytest.fixture
def shelf(tmp_path: Path, model: Path) -> Shelf:
    """Two versions of one model; the first is current."""
    shelf = Shelf(tmp_path)
    shelf.add("fused", "1", model)
    shelf.add("fused", "2", model)
    shelf.choose("fused", "1")
    return shelf


def test_names_and_versions_are_listed(shelf: Shelf) -> None:
    assert shelf.versions() == {"fused": ["1", "2"]}


def test_the_current_version_is_found_without_a_version(shelf: Shelf) -> None:
    assert shelf.find("fused") == shelf.root / "fused" / "1"


def test_a_version_is_found_by_name(shelf: Shelf) -> None:
    assert shelf.find("fused", "2") == shelf.root / "fused" / "2"


def test_another_version_is_chosen_at_once(shelf: Shelf) -> None:
    shelf.choose("fused", "2")
    assert Shelf(shelf.root).current("fused") == "2"


@pytest.mark.parametrize(
    ("name", "version"), [("other", "1"), ("fused", "3"), ("..", "1"), ("fused", "../fused/1")]
)
def test_what_is_not_there_is_not_found(shelf: Shelf, name: str, version: str) -> None:
    with pytest.raises(NotFoundError, match="no model"):
        shelf.find(name, version)


def test_a_version_that_is_not_there_cannot_be_chosen(shelf: Shelf) -> None:
    with pytest.raises(NotFoundError, match="version '3'"):
        shelf.choose("fused", "3")
    assert shelf.current("fused") == "1"


def test_without_a_choice_there_is_no_current_version(tmp_path: Path, model: Path) -> None:
    Shelf(tmp_path).add("fused", "1", model)
    with pytest.raises(NotFoundError, match="choose one with"):
        Shelf(tmp_path).find("fused")


def test_a_version_is_never_replaced(shelf: Shelf, model: Path) -> None:
    with pytest.raises(ConfigError, match="a version 2 already"):
        shelf.add("fused", "2", model)


def test_a_version_that_was_taken_away_needs_a_new_number(shelf: Shelf, model: Path) -> None:
    shutil.rmtree(shelf.root / "fused" / "2")
    with pytest.raises(ConfigError, match="version 2 of fused was refused before: give a new"):
        shelf.add("fused", "2", model)
    shelf.add("fused", "3", model)
    assert shelf.versions() == {"fused": ["1", "3"]}


def test_a_copy_that_failed_uses_no_number_up(
    shelf: Shelf, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", full)
        with pytest.raises(OSError, match="no space"):
            shelf.add("fused", "3", model)
    assert shelf.add("fused", "3", model).is_dir()


@pytest.mark.parametrize("word", ["", "../x", "a/b", ".hidden", "x" * 65, "current"])
def test_a_name_is_letters_digits_and_dots(shelf: Shelf, model: Path, word: str) -> None:
    with pytest.raises(ConfigError, match="is no name"):
        shelf.add("fused", word, model)


def test_a_damaged_model_is_not_added(tmp_path: Path, model: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in model.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "config.json").write_text("{}")
    with pytest.raises(DataError, match="does not match"):
        Shelf(tmp_path / "shelf").add("fused", "1", damaged)
    assert not (tmp_path / "shelf").exists()


def test_one_model_folder_is_a_shelf_of_one(model: Path) -> None:
    shelf = Shelf(model)
    assert shelf.versions() == {"sm": ["0"]}
    assert shelf.find("sm") == model
    with pytest.raises(ConfigError, match="is one model"):
        shelf.add("fused", "1", model)


def test_what_is_no_model_is_not_listed(shelf: Shelf) -> None:
    (shelf.root / "empty").mkdir()
    (shelf.root / "notes.txt").write_text("")
    assert list(shelf.versions()) == ["fused"]


def test_a_version_that_is_still_being_copied_is_none(shelf: Shelf) -> None:
    half = shelf.root / "fused" / ".3.partial"
    half.mkdir()
    (half / "config.json").write_text("{}")
    assert shelf.versions() == {"fused": ["1", "2"]}


def test_a_folder_that_is_being_replaced_is_listed_once(shelf: Shelf) -> None:
    folder = shelf.root / "fused" / "2"
    seen = []

    def look(weights: Path) -> None:
        shutil.copy(folder / WEIGHTS, weights)
        seen.append(shelf.versions())

    write_folder(folder, read_meta(folder), look)
    assert seen == [{"fused": ["1", "2"]}]
    assert shelf.versions() == {"fused": ["1", "2"]}
