"""Tables that lie elsewhere: the same rows, failures survived, clear words when not."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem
from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

from mgray.data import storage
from mgray.data.storage import LocalFolder, RemoteFolder, absolute, open_storage, shown
from mgray.data.table import ImageTable
from mgray.errors import DataError, MgrayError, NotFoundError
from tests.data.s3 import serve_s3


class Shaky(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Fails the next ``failures`` times that a file is opened."""

    cachable = False
    failures = 0
    opened = 0

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        self.opened += 1
        if self.failures > 0:
            self.failures -= 1
            raise OSError("connection reset\nby peer")
        return super()._open(path, mode, **options)


@pytest.fixture
def folder(make_row: Any, write_table: Any) -> Path:
    rows = [make_row(np.full((32, 32), n), image_id=f"i{n}") for n in range(6)]
    return Path(write_table(rows))


@pytest.fixture
def shaky() -> Shaky:
    return Shaky()


@pytest.fixture
def table(folder: Path, shaky: Shaky) -> ImageTable:
    """On a filesystem that is known by pyarrow through fsspec only."""
    return ImageTable.open(folder, PyFileSystem(FSSpecHandler(shaky)))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be waited, which are not."""
    waited: list[float] = []
    monkeypatch.setattr(storage.time, "sleep", waited.append)
    return waited


def test_a_table_elsewhere_has_the_same_rows(folder: Path, table: ImageTable) -> None:
    here = ImageTable.open(folder)
    assert isinstance(table.storage, RemoteFolder)
    assert table.index == here.index
    assert table.records(range(6)) == here.records(range(6))


def test_a_read_that_fails_is_tried_again_after_longer_and_longer_pauses(
    folder: Path, table: ImageTable, shaky: Shaky, pauses: list[float]
) -> None:
    shaky.failures = 4
    assert table.records([3]) == ImageTable.open(folder).records([3])
    assert pauses == [0.2, 0.4, 0.8, 1.6]


def test_storage_that_stays_silent_is_one_clear_line(
    table: ImageTable, shaky: Shaky, pauses: list[float]
) -> None:
    shaky.failures = 99
    with pytest.raises(DataError, match=r"failed 5 times.*\(connection reset by peer\).*again$"):
        table.records([3])
    assert len(pauses) == 4


def test_what_is_missing_is_not_asked_for_twice(
    folder: Path, table: ImageTable, shaky: Shaky, pauses: list[float]
) -> None:
    (folder / "images" / "part-00001.parquet").unlink()
    before = shaky.opened
    with pytest.raises(DataError, match=r"part-00001\.parquet is damaged"):
        table.records([5])
    assert shaky.opened <= before + 1
    assert not pauses


def test_a_shard_elsewhere_that_was_changed_since_is_an_error(
    folder: Path, table: ImageTable
) -> None:
    shard = folder / "images" / "part-00000.parquet"
    shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(DataError, match=r"part-00000\.parquet is damaged"):
        table.records([0])


def test_no_table_elsewhere_names_the_remedy(tmp_path: Path, shaky: Shaky) -> None:
    with pytest.raises(NotFoundError, match=r"no image table in .*jobs\.ingest"):
        ImageTable.open(tmp_path / "nowhere", PyFileSystem(FSSpecHandler(shaky)))


@pytest.mark.usefixtures("keys")
def test_a_table_in_s3_has_the_same_rows_and_one_image_is_one_range(folder: Path) -> None:
    with serve_s3(folder) as s3:
        table = pickle.loads(pickle.dumps(ImageTable.open(Path(s3.uri(folder.name)))))
        s3.ranges.clear()
        assert table.records([2]) == ImageTable.open(folder).records([2])
        first, size = (table.places[name][2].as_py() for name in ("pixels_at", "pixels_bytes"))
        assert s3.ranges == [f"bytes={first}-{first + size - 1}"]


@pytest.mark.usefixtures("keys")
def test_s3_that_is_busy_is_asked_again(folder: Path) -> None:
    with serve_s3(folder, refusals=1) as s3:
        assert len(ImageTable.open(s3.uri(folder.name))) == 6


@pytest.mark.usefixtures("keys")
def test_a_uri_survives_being_a_path() -> None:
    found = open_storage(Path("s3://bucket/table?region=us-east-1"))
    assert isinstance(found, RemoteFolder)
    assert (found.filesystem.type_name, found.path) == ("s3", "bucket/table")


@pytest.mark.parametrize("name", ["runs/table", "/runs/table", "a:b/table", "file:/table"])
def test_what_is_no_uri_is_a_folder(name: str) -> None:
    assert open_storage(name) == LocalFolder(Path(name))


def test_a_uri_that_nobody_knows_is_one_clear_line() -> None:
    with pytest.raises(MgrayError, match="no filesystem for 'gopher://bucket/table': expected"):
        open_storage("gopher://key:secret@bucket/table?token=secret")


def test_storage_that_does_not_say_where_it_is_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As pyarrow asks for the region of a bucket; without a network nobody tells."""

    class Unreachable(FileSystem):  # type: ignore[misc]  # pyarrow has no types
        @staticmethod
        def from_uri(uri: str) -> Any:
            raise OSError(f"When resolving region for {uri[5:11]!r}:\nno network")

    monkeypatch.setattr(storage, "FileSystem", Unreachable)
    with pytest.raises(DataError, match=r"'s3://bucket/table' did not .*no network.*region"):
        open_storage(Path("s3://key:secret@bucket/table"))


def test_no_word_holds_credentials() -> None:
    for name in ("s3://key:secret@bucket/table?token=secret", "S3://key:sec/ret@bucket/table"):
        assert shown(Path(name)) == shown(name) == "s3://bucket/table"


def test_a_uri_means_the_same_to_every_process(tmp_path: Path) -> None:
    assert absolute(Path("s3://bucket/table")) == Path("s3://bucket/table")
    assert absolute(tmp_path / "a" / "..") == tmp_path
