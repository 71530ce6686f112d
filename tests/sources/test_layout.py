import errno
import os

import pytest

from mgray.errors import ConfigError, DataError, NotFoundError
from mgray.sources.layout import files_below, find_file, find_files, read_text, spelled, tell

LAYOUT = ("tables/a.csv", "images/*.dcm")


def test_first_pattern_that_matches_wins(tmp_path):
    for name in ("a.csv", "a_reduced.csv", "b.csv"):
        (tmp_path / name).touch()
    assert find_file(tmp_path, ["z.csv", "a*.csv"], LAYOUT).name == "a.csv"
    assert [path.name for path in find_files(tmp_path, ["a_*.csv", "b.csv"], LAYOUT)] == [
        "a_reduced.csv"
    ]


def test_missing_table_tells_sought_found_and_expected_in_one_line(tmp_path):
    (tmp_path / "jane_doe.dcm").touch()
    (tmp_path / "doe.jane").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(NotFoundError) as error:
        find_file(tmp_path, ["a.csv", "b.csv"], LAYOUT)
    said = str(error.value)
    assert "looked for a.csv or b.csv below" in said
    assert said.endswith(": expected tables/a.csv | images/*.dcm")
    assert {*said.partition("found ")[2].partition(":")[0].split(", ")} == {
        "1 .dcm", "1 folder", "1 other"
    }  # fmt: skip
    assert "jane" not in said
    assert "\n" not in said


def test_missing_table_tells_what_is_in_its_folder(tmp_path):
    for name in ("images/1.dcm", "tables/b.csv", "tables/jane_doe"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(NotFoundError, match=r"found 1 \S+, 1 \S+ in tables/: expected "):
        find_file(tmp_path, ["tables/a.csv", "*.csv"], LAYOUT)
    with pytest.raises(NotFoundError, match="found 2 folder: expected "):
        find_file(tmp_path, ["gone/a.csv"], LAYOUT)
    with pytest.raises(NotFoundError, match="found 2 folder: expected "):
        find_file(tmp_path, ["*/a.csv"], LAYOUT)


def test_missing_folder_is_one_line(tmp_path):
    with pytest.raises(NotFoundError, match="no archive folder"):
        find_file(tmp_path / "gone", ["a"], LAYOUT)


def test_folder_of_the_name_is_no_table(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(NotFoundError, match="found 1 folder"):
        find_file(tmp_path, ["a.csv"], LAYOUT)


def test_files_are_listed_below_folders_by_suffix(tmp_path):
    for name in ("a/1.dcm", "a/b/2.DCM", "a/3.txt", "c/4.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert set(files_below(tmp_path, ["a", "gone"])) == {"a/1.dcm", "a/b/2.DCM"}
    assert set(files_below(tmp_path, suffixes=[".txt"])) == {"a/3.txt"}
    (tmp_path / "5.dcm").touch()
    assert "5.dcm" in set(files_below(tmp_path))


def test_text_that_is_far_too_large_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "jane.ics"
    path.write_bytes(b"\xe9" * 9)
    assert read_text(path) == "é" * 9
    monkeypatch.setattr("mgray.sources.layout.MOST_OF_TEXT", 8)
    with pytest.raises(ConfigError, match=r"a \.ics file has more than 8 bytes"):
        read_text(path)


def test_empty_folder_holds_nothing(tmp_path):
    assert tell(tmp_path) == "nothing"


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_what_macos_puts_beside_files_is_not_listed(tmp_path):
    put(tmp_path, "a.dcm", "._a.dcm", "b/._c.dcm", ".d.dcm", "._t.csv")
    assert set(files_below(tmp_path)) == {"a.dcm", ".d.dcm"}
    with pytest.raises(NotFoundError):
        find_file(tmp_path, ["*t.csv"], LAYOUT)


def test_linked_folders_are_entered_once_and_after_all_others(tmp_path):
    """The folder's own path is the one that tables name, whichever comes first in the listing."""
    put(tmp_path, "archive/m/1.dcm", "disk/sub/2.dcm")
    (tmp_path / "archive" / "a").symlink_to(tmp_path / "archive" / "m")
    (tmp_path / "archive" / "more").symlink_to(tmp_path / "disk")
    found = sorted(files_below(tmp_path / "archive"))
    assert found == ["m/1.dcm", "more/sub/2.dcm"]


def test_links_in_a_circle_end(tmp_path):
    put(tmp_path, "a/1.dcm", "b/2.dcm")
    for link, target in (("a/up", "."), ("a/b", "b"), ("b/a", "a"), ("b/b", "b"), ("gone", "none")):
        (tmp_path / link).symlink_to(tmp_path / target)
    assert sorted(files_below(tmp_path)) == ["a/1.dcm", "b/2.dcm"]


@pytest.mark.parametrize(
    ("told", "found"),
    [("a/1.dcm", "a/1.dcm"), ("2.dcm", "2.DCM"), ("1.DCM", "1.dcm"), ("3.dcm", "3.dcm")],
)
def test_suffix_is_spelled_as_the_file_here(told, found):
    assert spelled(told, {"a/1.dcm", "2.DCM", "1.dcm"}.__contains__) == found


def test_a_folder_that_cannot_be_listed_is_an_error_without_its_name(tmp_path, monkeypatch):
    for name in ("a/1.dcm", "jane_doe/2.dcm"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()

    def scandir(top, real=os.scandir):
        if "jane" in str(top):
            raise PermissionError(errno.EACCES, "no", str(top))
        return real(top)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"cannot be listed \(Permission denied\)") as error:
        list(files_below(tmp_path))
    assert "jane" not in str(error.value)


def test_what_a_repaired_filesystem_keeps_aside_is_not_listed(tmp_path):
    for name in ("lost+found/1.dcm", "a/lost+found/2.dcm", "a/3.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(files_below(tmp_path)) == ["a/3.dcm"]
