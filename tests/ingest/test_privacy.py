"""Nothing of a patient leaves the archive: marked attributes, names and cells, searched everywhere.

Every attribute of the DICOM dictionary that holds text is written with a marker into some of 200
files, sound and broken; the real job ingests them at DEBUG on a Ray of its own; then every file it
wrote, every cell, every line it said and all of Ray's logs are searched.
"""

import csv
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydicom import Dataset, config, dcmread
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag

from mgray.dicom.example import SYNTAX, example_file
from mgray.dicom.quiet import quiet
from mgray.ingest.explain import InspectConfig, explain
from mgray.ingest.manifest import Manifest, read_manifest

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
FILES = 200
MARK = "QXZJK"
"""Every marker begins so; searched without case. No hexadecimal digest holds it."""
DATE = "18970417"
"""A valid date that nothing else writes."""
TEXT_VRS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT", "AS", "DS", "IS")
DATE_VRS = ("DA", "DT", "TM")
READ = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality", "PresentationIntentType",
    "ImageType", "ImageLaterality", "Laterality", "ViewPosition", "PhotometricInterpretation",
    "NumberOfFrames", "VOILUTFunction", "PresentationLUTShape", "WindowCenter", "WindowWidth",
    "RescaleSlope", "RescaleIntercept", "ImagerPixelSpacing", "PixelSpacing", "Manufacturer",
    "ManufacturerModelName", "PatientOrientation", "BurnedInAnnotation", "ConversionType",
    "SeriesDescription", "BreastImplantPresent", "PaddleDescription", "SpecificCharacterSet",
)  # fmt: skip
"""Attributes that decide what becomes of a file: each is marked in a file of its own."""
IN_EVERY_FILE = (
    "PatientName", "PatientID", "OtherPatientIDs", "PatientAddress", "AccessionNumber", "StudyID",
    "InstitutionName", "ReferringPhysicianName", "OperatorsName", "PatientComments",
)  # fmt: skip


def marker(name: object, number: int) -> str:
    return f"{MARK}{name}N{number}"


def text_attributes() -> list[tuple[int, str, str]]:
    """Tag, VR and keyword of all that holds text and may stand in a data set."""
    told = [(tag, entry[0], entry[4]) for tag, entry in DicomDictionary.items()]
    return [one for one in told if one[1] in TEXT_VRS + DATE_VRS and one[2] and one[0] >> 16 > 0x7]


ATTRIBUTES = text_attributes()
PLAIN = [one for one in ATTRIBUTES if one[2] not in READ]


def mark(dataset: Dataset, attribute: tuple[int, str, str], number: int) -> None:
    """Write a marker into one attribute, valid for its type or not."""
    tag, vr, _ = attribute
    valid = vr in DATE_VRS and number % 2
    text = {"TM": "040506"}.get(vr, DATE) if valid else marker(f"{tag:08X}", number)
    if vr in ("DS", "IS"):  # pydicom writes a number that is none only as bytes
        data = text.ljust(len(text) + len(text) % 2).encode()
        dataset[tag] = RawDataElement(Tag(tag), vr, len(data), data, 0, False, True)
    else:
        dataset.add(DataElement(Tag(tag), vr, text, validation_mode=config.IGNORE))


def marked_file(number: int) -> bytes:
    """A mammogram full of markers; the parts that decide its fate are sound."""
    y, x = np.mgrid[:64, :48]
    pixels = np.where((y - 32) ** 2 + x**2 < 900, 2000 + number, 0).astype(np.uint16)
    syntaxes = [name for name in SYNTAX if name not in ("jpeg", "big")]
    dataset = dcmread(io.BytesIO(example_file(pixels, syntaxes[number % len(syntaxes)])))
    for attribute in PLAIN[number::FILES] + PLAIN[(number + 77) % FILES :: FILES]:
        mark(dataset, attribute, number)
    for keyword in IN_EVERY_FILE:
        mark(dataset, next(one for one in ATTRIBUTES if one[2] == keyword), number)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID"):
        mark(dataset, next(one for one in ATTRIBUTES if one[2] == keyword), number)
    special = READ[number // 4 % len(READ)] if number % 4 == 0 else None
    if special:
        mark(dataset, next(one for one in ATTRIBUTES if one[2] == special), number)
    add_nested(dataset, number)
    return saved(dataset, number)


def add_nested(dataset: Dataset, number: int) -> None:
    """Sequences three deep, private elements and overlays."""
    inner, middle, outer = Dataset(), Dataset(), Dataset()
    for level, item in enumerate((inner, middle, outer)):
        item.CodeMeaning, item.PersonName = marker(f"C{level}", number), marker(f"P{level}", number)
    middle.ContentSequence, outer.ContentSequence = [inner], [middle]
    dataset.RequestAttributesSequence, dataset.ViewCodeSequence = [outer], [outer]
    block = dataset.private_block(0x0011, marker("CREATOR", number), create=True)
    for offset, vr in enumerate(("LO", "PN", "UT", "DA")):
        value = DATE if vr == "DA" else marker(f"PRIVATE{offset}", number)
        block.add_new(offset, vr, value)
    block.add_new(9, "UN", marker("UNKNOWN", number).encode())
    for tag, vr in ((0x60000022, "LO"), (0x60001500, "LO"), (0x60004000, "LT")):
        mark(dataset, (tag, vr, ""), 2 * number)


def saved(dataset: Dataset, number: int) -> bytes:
    """Write a data set without any check, with marked meta data, preamble and tail."""
    dataset.file_meta.ImplementationVersionName = marker("V", number)[:16]
    dataset.file_meta.SourceApplicationEntityTitle = marker("A", number)[:16]
    dataset.preamble = marker("PREAMBLE", number).encode().ljust(128, b"\0")
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue() + marker("TAIL", number).encode()


def broken(data: bytes, number: int) -> bytes:
    """Break every ninth file, each time in another way."""
    ways = (
        lambda: marker("DIARY", number).encode() * 30,
        lambda: b"",
        lambda: data[: len(data) // 2],
        lambda: data[: len(data) - 900],
        lambda: data[:140] + marker("HEAD", number).encode() + data[160:],
        lambda: data.replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00LO"),
    )
    return ways[number // 9 % len(ways)]() if number % 9 == 0 else data


def write_archive(archive: Path) -> None:
    """200 files in marked folders, and a table that marks patients, exams and findings."""
    lines = []
    config.settings.writing_validation_mode = config.IGNORE
    config.settings.reading_validation_mode = config.IGNORE
    for number in range(FILES):
        path = f"{marker('FOLDER', number % 7)}/{marker('FILE', number)}.dcm"
        (archive / path).parent.mkdir(parents=True, exist_ok=True)
        (archive / path).write_bytes(broken(marked_file(number), number))
        cells = [path, marker("PATIENT", number // 2), marker("EXAM", number // 2)]
        lines.append([*cells, "3", "20", "25", "45", marker("FINDING", number), "mass"])
    lines.append([marker("GONE", 0), *[""] * 8])
    with (archive / "catalog.csv").open("w", newline="") as file:
        header = ["path", "patient_id", "exam_id", "x0", "y0", "x1", "y1", "finding_id"]
        csv.writer(file).writerows([[*header, "finding_type"], *lines])


@dataclass(frozen=True)
class Run:
    """One ingest of the marked archive.

    Args:
        archive: Marked.
        out: Folder of the table.
        ray: Ray's folder of sessions and logs.
        said: Standard output and error.
        manifest: Of the table.
    """

    archive: Path
    out: Path
    ray: Path
    said: str
    manifest: Manifest


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("privacy")
    before = (config.settings.writing_validation_mode, config.settings.reading_validation_mode)
    with quiet():  # pydicom tells of every value that it should not write
        write_archive(folder / "archive")
    config.settings.writing_validation_mode, config.settings.reading_validation_mode = before
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as ray:
        said = ingest(folder / "archive", folder / "table", Path(ray))
        manifest = read_manifest(folder / "table")
        assert manifest is not None, said
        yield Run(folder / "archive", folder / "table", Path(ray), said, manifest)


def ingest(archive: Path, out: Path, ray: Path, *more: str) -> str:
    """Run ``python -m jobs.ingest`` as a user who looks for trouble; return all it said."""
    path = f"{ROOT}{os.pathsep}{ROOT / 'platform'}"
    told = {"PYTHONPATH": path, "MGRAY_LOG": "DEBUG", "RAY_TMPDIR": str(ray)}
    words = ("csv", f"archive={archive}", f"out={out}", "workers=2", *more)
    command = [sys.executable, "-W", "always", "-m", "jobs.ingest", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def marks(data: bytes) -> bool:
    """Tell whether bytes hold a marker."""
    return MARK.lower().encode() in data.lower() or DATE.encode() in data


def files_with_marks(folder: Path) -> list[str]:
    """Files whose name, bytes or Parquet cells hold a marker."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [
        str(path.relative_to(folder))
        for path in files
        if marks(os.fsencode(path.relative_to(folder))) or marks(content(path))
    ]


def content(path: Path) -> bytes:
    """Bytes of a file; of a Parquet file also all its cells and meta data, unpacked."""
    data = path.read_bytes()
    if path.suffix != ".parquet":
        return data
    table = pq.read_table(path)
    cells = repr(table.to_pydict()).encode() + str(table.schema.metadata).encode()
    return data + cells


def test_more_than_300_attributes_are_marked_and_the_search_finds_them(run):
    assert len(ATTRIBUTES) > 300
    held = b"".join(path.read_bytes() for path in run.archive.rglob("*.dcm"))
    found = [one for one in PLAIN if one[1] not in DATE_VRS and f"{one[0]:08X}".encode() in held]
    assert len(found) > 300
    assert len(files_with_marks(run.archive)) == FILES + 1  # and the table


def test_marked_files_become_rows_and_refusals(run):
    assert run.manifest.rows > FILES / 2
    assert run.manifest.quarantined > 20
    assert len(run.manifest.quarantined_by_reason) >= 5


def test_no_marker_is_in_table_quarantine_manifest_ledger_or_file_name(run):
    assert files_with_marks(run.out) == []


def test_no_marker_was_said_at_debug(run):
    assert run.said
    assert [line for line in run.said.splitlines() if marks(line.encode())] == []


def test_no_marker_is_said_by_a_dry_run_that_foretells_most_refusals(run):
    said = ingest(run.archive, run.out.parent / "never", run.ray, "--dry-run")
    assert f"dry run: {FILES + 1} files" in said
    assert not (run.out.parent / "never").exists()
    assert [line for line in said.splitlines() if marks(line.encode())] == []


@pytest.mark.parametrize("number", [1, 4, 8, 9, 12, 27, 36, 44])
def test_no_marker_is_told_of_an_inspected_file(run, number):
    path = run.archive / marker("FOLDER", number % 7) / f"{marker('FILE', number)}.dcm"
    made = explain(InspectConfig(file=path))
    assert made.steps
    assert not marks(f"{made.steps} {made.refused}".encode())


def test_no_marker_is_in_the_logs_of_ray(run):
    assert len([path for path in run.ray.rglob("*") if path.suffix in (".log", ".out", ".err")]) > 5
    assert files_with_marks(run.ray) == []
