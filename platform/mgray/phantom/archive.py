"""An archive of phantom exams: DICOM files, ``annotations.csv`` and ``exams.csv``.

An exam's rows are kept in ``out/exams/<hash>.json``, written after its images; an exam with that
file and its images is complete and is not made again, unless the file is damaged. The two tables
are taken away before an exam is made or removed, and written last, so an archive with tables is
complete.
"""

import csv
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any, Final

from mgray.config import build
from mgray.errors import ConfigError
from mgray.phantom.config import PhantomConfig
from mgray.phantom.dicom_writer import write_picture
from mgray.phantom.exam import Exam, Picture, make_exam
from mgray.phantom.header import digest, patient_id, sop_instance_uid, study_instance_uid
from mgray.processes import worker_processes
from mgray.progress import Bar

ANNOTATION_COLUMNS: Final = (
    "sop_instance_uid", "image_kind", "laterality", "view", "finding_id", "type", "malignant",
    "density", "x0", "y0", "x1", "y1", "visible",
)  # fmt: skip
EXAM_COLUMNS: Final = (
    "path", "sop_instance_uid", "patient_id", "exam_id", "laterality", "view", "image_kind",
    "density", "cancer",
)  # fmt: skip
SETTINGS: Final = "settings.json"
EXAM_TABLE, ANNOTATION_TABLE = "exams.csv", "annotations.csv"
Rows = dict[str, list[dict[str, Any]]]

log = logging.getLogger(__name__)


def write_archive(config: PhantomConfig) -> None:
    """Make what is missing of an archive, remove exams beyond ``exams``, then write its tables.

    The result is that of a fresh folder, whatever was there before.

    Raises:
        ConfigError: The folder holds an archive of other or damaged settings.
    """
    _claim(config)
    missing = [i for i in range(config.exams) if not _is_complete(config, i)]
    surplus = _surplus(config)
    if missing or surplus:
        for name in (EXAM_TABLE, ANNOTATION_TABLE):
            (config.out / name).unlink(missing_ok=True)
    _remove(config, surplus)
    with Bar("phantoms", len(missing), "exams") as bar:
        for _ in _make(config, missing):
            bar.advance()
    rows = [json.loads(_record(config, i).read_text()) for i in range(config.exams)]
    _write_table(
        config.out / ANNOTATION_TABLE,
        ANNOTATION_COLUMNS,
        [r for e in rows for r in e["annotations"]],
    )
    _write_table(config.out / EXAM_TABLE, EXAM_COLUMNS, [r for e in rows for r in e["images"]])


def write_exam(config: PhantomConfig, number: int) -> None:
    """Make one exam: its images first, its rows last."""
    exam = make_exam(config, number)
    rows: Rows = {"images": [], "annotations": []}
    for picture in exam.pictures:
        name = digest(exam.key, "file", picture.laterality, picture.view, picture.kind).hex()[:32]
        path = f"images/{name}.dcm"
        write_picture(config.out / path, exam, picture, config.transfer_syntax)
        rows["images"].append(_image_row(path, exam, picture))
        rows["annotations"] += _annotation_rows(exam, picture)
    _write_text(_record(config, number), json.dumps(rows))


def _make(config: PhantomConfig, numbers: Sequence[int]) -> Iterator[None]:
    workers = min(config.workers, len(numbers))
    if workers <= 1:
        for number in numbers:
            write_exam(config, number)
            yield
        return
    with worker_processes(workers) as pool:
        for done in as_completed([pool.submit(write_exam, config, n) for n in numbers]):
            done.result()
            yield


def _claim(config: PhantomConfig) -> None:
    """Make the folders, or check that they were made with the same settings."""
    try:
        (config.out / "images").mkdir(parents=True, exist_ok=True)
        (config.out / "exams").mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"out={str(config.out)!r} cannot be made ({error.strerror}): give another folder"
        ) from None
    settings = config.model_dump(mode="json", exclude={"out", "exams", "workers"})
    path = config.out / SETTINGS
    if not path.is_file():
        _write_text(path, json.dumps(settings, indent=1))
        return
    found = _settings(config)
    changed = sorted(key for key in settings if found[key] != settings[key])
    if changed:
        raise ConfigError(
            f"{str(config.out)!r} holds an archive made with another {changed[0]}: "
            f"expected {found[changed[0]]!r}; give another out, or the same settings"
        )


def _settings(config: PhantomConfig) -> dict[str, Any]:
    """Read the settings of the archive that is there; keys that it did not know are defaults."""
    try:
        told = {**json.loads((config.out / SETTINGS).read_text())}
        whole = {**told, "out": config.out, "exams": config.exams}
        return build(PhantomConfig, whole).model_dump(mode="json")
    except (ValueError, TypeError, ConfigError):
        raise ConfigError(
            f"{str(config.out)!r} holds {SETTINGS} that is damaged or of another version: "
            "give another out"
        ) from None


def _is_complete(config: PhantomConfig, number: int) -> bool:
    record = _record(config, number)
    rows = _read_rows(record) if record.is_file() else None
    return rows is not None and all((config.out / row["path"]).is_file() for row in rows["images"])


def _read_rows(record: Path) -> Rows | None:
    """Read the rows of an exam; ``None`` if they are damaged."""
    try:
        rows: Rows = json.loads(record.read_text())
        images = all(row.keys() == set(EXAM_COLUMNS) for row in rows["images"])
        boxes = all(row.keys() == set(ANNOTATION_COLUMNS) for row in rows["annotations"])
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return rows if images and boxes else None


def _surplus(config: PhantomConfig) -> list[Path]:
    """Records of exams beyond ``exams``, which an earlier run made."""
    wanted = {_record(config, number) for number in range(config.exams)}
    return sorted(set((config.out / "exams").glob("*.json")) - wanted)


def _remove(config: PhantomConfig, records: Sequence[Path]) -> None:
    for record in records:
        for path in _images_of(config, record):
            path.unlink(missing_ok=True)
        record.unlink()  # last: an interrupted removal continues
    if records:
        log.info("removed %d exams beyond exams=%d", len(records), config.exams)


def _images_of(config: PhantomConfig, record: Path) -> list[Path]:
    """List the images of an exam; those of a damaged record are all that no sound one names."""
    rows = _read_rows(record)
    if rows is not None:
        return [config.out / row["path"] for row in rows["images"]]
    sound = [told for one in record.parent.glob("*.json") if (told := _read_rows(one))]
    named = {config.out / row["path"] for told in sound for row in told["images"]}
    return sorted(set((config.out / "images").glob("*.dcm")) - named)


def _record(config: PhantomConfig, number: int) -> Path:
    return config.out / "exams" / f"{digest((config.seed, number), 'exam').hex()[:32]}.json"


def _image_row(path: str, exam: Exam, picture: Picture) -> dict[str, Any]:
    return {
        "path": path,
        "sop_instance_uid": sop_instance_uid(exam.key, picture),
        "patient_id": patient_id(exam.key),
        "exam_id": study_instance_uid(exam.key),
        "laterality": picture.laterality,
        "view": picture.view,
        "image_kind": picture.kind,
        "density": exam.breast.density,
        "cancer": int(picture.cancer),
    }


def _annotation_rows(exam: Exam, picture: Picture) -> Iterator[dict[str, Any]]:
    for truth in picture.truths:
        box = dict(zip(("x0", "y0", "x1", "y1"), (round(v, 2) for v in truth.box), strict=True))
        yield {
            "sop_instance_uid": sop_instance_uid(exam.key, picture),
            "image_kind": picture.kind,
            "laterality": picture.laterality,
            "view": picture.view,
            "finding_id": truth.finding.finding_id,
            "type": truth.finding.kind,
            "malignant": int(truth.finding.malignant),
            "density": exam.breast.density,
            **box,
            "visible": int(truth.visible),
        }


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def _write_text(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
