import csv
import hashlib
import json
import logging
import shutil
from pathlib import Path

import pytest

from mgray.config import replace
from mgray.errors import ConfigError
from mgray.phantom.archive import ANNOTATION_COLUMNS, EXAM_COLUMNS, write_archive
from mgray.phantom.config import PhantomConfig


def config(out: Path, **changes: object) -> PhantomConfig:
    small = {"height": 256, "width": 208, "pixel_mm": 0.5, "finding_share": 0.8, "workers": 1}
    return PhantomConfig.model_validate({"out": out, "exams": 2, "seed": 5, **small, **changes})


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def digests(out: Path) -> dict[str, str]:
    files = [*(out / "images").iterdir(), out / "annotations.csv", out / "exams.csv"]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("archive")
    write_archive(config(out))
    return out


def test_exams_csv_names_every_file_once(archive: Path) -> None:
    rows = table(archive / "exams.csv")
    assert tuple(rows[0]) == EXAM_COLUMNS
    assert len(rows) == 16
    assert {archive / row["path"] for row in rows} == set((archive / "images").iterdir())


def test_every_view_is_paired(archive: Path) -> None:
    kinds: dict[tuple[str, ...], set[str]] = {}
    for row in table(archive / "exams.csv"):
        key = (row["exam_id"], row["laterality"], row["view"])
        kinds.setdefault(key, set()).add(row["image_kind"])
    assert len(kinds) == 8
    assert all(found == {"ffdm", "synthetic_2d"} for found in kinds.values())


def test_annotations_point_at_images_of_the_archive(archive: Path) -> None:
    rows = table(archive / "annotations.csv")
    images = {row["sop_instance_uid"]: row for row in table(archive / "exams.csv")}
    assert tuple(rows[0]) == ANNOTATION_COLUMNS
    for row in rows:
        image = images[row["sop_instance_uid"]]
        for column in ("image_kind", "laterality", "view", "density"):
            assert row[column] == image[column]
        assert float(row["x0"]) < float(row["x1"])
        assert float(row["y0"]) < float(row["y1"])


def test_cancer_is_one_exactly_where_a_malignant_finding_is_annotated(archive: Path) -> None:
    annotations = table(archive / "annotations.csv")
    malignant = {row["sop_instance_uid"] for row in annotations if row["malignant"] == "1"}
    for row in table(archive / "exams.csv"):
        assert (row["cancer"] == "1") == (row["sop_instance_uid"] in malignant)


def test_file_names_carry_no_identity(archive: Path) -> None:
    for row in table(archive / "exams.csv"):
        name = Path(row["path"]).stem
        assert len(name) == 32
        assert set(name) <= set("0123456789abcdef")
        assert name not in row["sop_instance_uid"]


def test_a_second_run_makes_nothing_and_changes_nothing(archive: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in (archive / "images").iterdir()}
    write_archive(config(archive))
    assert before == {file: file.stat().st_mtime_ns for file in (archive / "images").iterdir()}


def test_an_interrupted_archive_is_completed_to_the_same_bytes(
    archive: Path, tmp_path: Path
) -> None:
    write_archive(config(tmp_path))
    first, second = sorted((tmp_path / "exams").iterdir())
    first.unlink()
    image = json.loads(second.read_text())["images"][3]["path"]
    (tmp_path / image).unlink()
    (tmp_path / "exams.csv").unlink()
    write_archive(config(tmp_path))
    assert digests(tmp_path) == digests(archive)


def test_workers_do_not_change_a_byte(archive: Path, tmp_path: Path) -> None:
    write_archive(config(tmp_path, workers=2))
    assert digests(tmp_path) == digests(archive)


def test_more_exams_extend_an_archive(archive: Path, tmp_path: Path) -> None:
    write_archive(config(tmp_path, exams=1))
    write_archive(config(tmp_path, exams=2))
    assert digests(tmp_path) == digests(archive)


def test_fewer_exams_leave_the_archive_of_a_fresh_folder(
    archive: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_archive(config(tmp_path / "shrunk"))
    write_archive(config(tmp_path / "shrunk", exams=1))
    write_archive(config(tmp_path / "fresh", exams=1))
    assert digests(tmp_path / "shrunk") == digests(tmp_path / "fresh")
    assert "removed 1 exams beyond exams=1" in caplog.text


def test_an_interrupted_enlargement_leaves_no_old_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    write_archive(config(tmp_path, exams=1))
    monkeypatch.setattr("mgray.phantom.archive.write_exam", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_archive(config(tmp_path))
    assert not list(tmp_path.glob("*.csv"))


def test_other_settings_in_the_same_folder_are_refused(archive: Path) -> None:
    with pytest.raises(ConfigError, match="made with another seed: expected 5"):
        write_archive(replace(config(archive), {"seed": 6}))


def test_no_unfinished_file_is_left(archive: Path) -> None:
    assert not list(archive.rglob("*.part"))


def test_progress_is_told_in_exams(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write_archive(config(tmp_path, exams=1))
    assert "1 exams" in caplog.text


def test_an_archive_older_than_a_setting_is_continued(tmp_path: Path) -> None:
    write_archive(config(tmp_path, exams=1))
    path = tmp_path / "settings.json"
    settings = json.loads(path.read_text())
    del settings["visibility"]["trace"]
    path.write_text(json.dumps(settings))
    write_archive(config(tmp_path, exams=1))
    with pytest.raises(ConfigError, match="made with another visibility"):
        write_archive(replace(config(tmp_path, exams=1), {"visibility.trace": 0.5}))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be made \(Not a directory\): give another"):
        write_archive(PhantomConfig(out=tmp_path / "file" / "archive", exams=1))


@pytest.mark.parametrize(
    "text",
    ["", "{", "\udcff", "[]", "3", '{"images": []}', '{"images": null, "annotations": null}',
     '{"images": [3], "annotations": []}', '{"images": [{}], "annotations": []}'],
)  # fmt: skip
def test_an_exam_of_a_damaged_record_is_made_again(
    archive: Path, tmp_path: Path, text: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(archive, out)
    record = sorted((out / "exams").iterdir())[0]
    record.write_text(text, errors="surrogateescape")
    write_archive(config(out))
    assert digests(out) == digests(archive)
    assert record.read_bytes() == (archive / "exams" / record.name).read_bytes()


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_damaged_record_beyond_exams_goes_with_its_images(
    archive: Path, tmp_path: Path, damaged: int
) -> None:
    """Either of two, one of which is wanted."""
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    shutil.copytree(archive, out)
    sorted((out / "exams").iterdir())[damaged].write_text("{")
    write_archive(config(out, exams=1))
    write_archive(config(fresh, exams=1))
    assert digests(out) == digests(fresh)
    assert len(list((out / "exams").iterdir())) == 1


@pytest.mark.parametrize("text", ["", "{", "\udcff", "[]", "3", '{"seed": {}}', '{"sead": 5}'])
def test_damaged_settings_are_one_line(archive: Path, tmp_path: Path, text: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(archive, out)
    (out / "settings.json").write_text(text, errors="surrogateescape")
    with pytest.raises(
        ConfigError, match=r"holds settings\.json that is damaged .*give another out$"
    ):
        write_archive(config(out))
    assert digests(out) == digests(archive)
