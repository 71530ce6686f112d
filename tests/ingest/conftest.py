"""A small archive as ``jobs.phantom`` writes it, and files that are wrong in every way we know."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydicom import dcmread

from mgray.dicom.example import example_file
from mgray.ingest.config import IngestConfig
from mgray.ingest.manifest import Manifest
from mgray.ingest.pipeline import ingest
from mgray.ingest.pseudonym import KEY_VARIABLE, Pseudonyms
from mgray.ingest.run import ingest_with
from tests.inline import Here

KEY = "a key for tests"
SHAPE = (96, 64)
SM = {"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]}
EXAM_HEADER = [
    "path",
    "sop_instance_uid",
    "patient_id",
    "exam_id",
    "laterality",
    "view",
    "image_kind",
    "density",
    "cancer",
]
FINDING_HEADER = [
    "sop_instance_uid",
    "image_kind",
    "laterality",
    "view",
    "finding_id",
    "type",
    "malignant",
    "density",
    "x0",
    "y0",
    "x1",
    "y1",
    "visible",
]


def breast(number: int = 0) -> np.ndarray:
    """A bright half disc on black, another one for every number."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    disc = (y - SHAPE[0] / 2) ** 2 + x**2 < (30 + number % 7) ** 2
    noise = np.random.default_rng(number).integers(0, 50, SHAPE)
    return np.where(disc, 2000 + noise, 0).astype(np.uint16)


class Archive:
    """Files under ``images/`` with their two tables, exam by exam."""

    def __init__(self, root: Path) -> None:
        self.root, self.exams, self.findings = root, [], []
        (root / "images").mkdir(parents=True)

    def put(self, name: str, data: bytes) -> str:
        """Write a file under ``images/``."""
        (self.root / "images" / name).write_bytes(data)
        return f"images/{name}"

    def image(self, name: str, number: int, kind: str = "ffdm", **attributes: Any) -> str:
        """Write one image of exam ``number`` and list it; return its SOP instance UID."""
        uid = f"1.2.3.{number}.{1 if kind == 'ffdm' else 2}"
        ids = {"SOPInstanceUID": uid, "StudyInstanceUID": f"1.2.4.{number}"}
        ids["PatientID"] = f"patient-{number}"
        marks = SM if kind == "synthetic_2d" else {}
        data = example_file(breast(number), **{**ids, **marks, **attributes})
        cells = (self.put(name, data), uid, f"patient-{number}", f"exam-{number}", "L", "CC", kind)
        self.exams.append([*cells, "b", "0"])
        self.tables()
        return uid

    def pair(self, number: int) -> list[str]:
        """Write the FFDM and the SM of exam ``number``."""
        kinds = ("ffdm", "synthetic_2d")
        return [self.image(f"{number:03}-{kind}.dcm", number, kind) for kind in kinds]

    def box(self, uid: str, *coords: float, malignant: int = 0) -> None:
        """List one finding."""
        words = [uid, "ffdm", "L", "CC", "lesion-1", "mass", str(malignant), "b"]
        self.findings.append([*words, *map(str, coords), "1"])
        self.tables()

    def tables(self) -> None:
        """Write ``exams.csv`` and ``annotations.csv``."""
        for name, header, lines in (
            ("exams.csv", EXAM_HEADER, self.exams),
            ("annotations.csv", FINDING_HEADER, self.findings),
        ):
            with (self.root / name).open("w", newline="") as file:
                csv.writer(file).writerows([header, *lines])


def huge_j2k() -> bytes:
    """A JPEG 2000 file whose SIZ marker claims 65535 x 65535."""
    data = bytearray(example_file(breast(), "j2k"))
    size = data.index(b"\xff\x4f\xff\x51") + 8
    data[size : size + 8] = (65535).to_bytes(4, "big") * 2
    return bytes(data)


def without_pixels() -> bytes:
    """A mammogram whose pixel data element is missing."""
    dataset = dcmread(BytesIO(example_file(breast())))
    del dataset.PixelData
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


BAD_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a text renamed .dcm": (lambda: b"dear diary, " * 50, "not_dicom"),
    "an empty file": (lambda: b"", "empty"),
    "a truncated file": (lambda: example_file(breast())[:-4000], "header_mismatch"),
    "a CT": (
        lambda: example_file(breast(), Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
        "wrong_modality",
    ),
    "no pixels.dcm": (without_pixels, "no_pixels"),
    "a J2K header of 65535 x 65535": (huge_j2k, "header_mismatch"),
}


@pytest.fixture(scope="session", autouse=True)
def key() -> Iterator[None]:
    """One pseudonym key for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, KEY)
        yield


@pytest.fixture(scope="session")
def ids() -> Pseudonyms:
    return Pseudonyms(KEY.encode(), "phantom")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def settings(archive: Archive, out: Path, **changes: Any) -> IngestConfig:
    told = {"source": "phantom", "archive": archive.root, "out": out, "images_per_shard": 2}
    return IngestConfig(**{**told, **changes})


@pytest.fixture(scope="session")
def ingest_here() -> Callable[..., Manifest]:
    """Ingest an archive without Ray and without a child, two files a shard."""
    return lambda *words, **changes: ingest_with(settings(*words, **changes), Here)


@pytest.fixture(scope="session")
def ingest_on_ray(ray_cluster: None) -> Callable[..., Manifest]:
    """Ingest an archive as a user does, two files a shard."""
    return lambda *words, **changes: ingest(settings(*words, **changes))


@pytest.fixture
def decoded() -> Callable[[], int]:
    """Files decoded by ``ingest_here`` since the test began."""
    start = Here.decoded
    return lambda: Here.decoded - start


@dataclass(frozen=True)
class Ingested:
    """One archive with every fault, ingested once for all tests that only look."""

    archive: Archive
    out: Path
    manifest: Manifest
    reasons: dict[str, str]
    rows: dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def ingested(
    tmp_path_factory: pytest.TempPathFactory,
    ingest_on_ray: Callable[..., Manifest],
    ids: Pseudonyms,
) -> Ingested:
    root = tmp_path_factory.mktemp("faults")
    archive = Archive(root / "archive")
    images = archive.root / "images"
    first, _ = archive.pair(1)
    second, _ = archive.pair(2)
    archive.image("alone.dcm", 3)
    archive.put("zz-copy.dcm", (archive.root / "images" / "001-ffdm.dcm").read_bytes())
    for name, (make, _) in BAD_FILES.items():
        archive.put(name, make())
    archive.box(first, 10, 20, 30, 40, malignant=1)
    archive.box(second, -5, 20, 30, 40)
    archive.box(second, 100, 20, 130, 40)
    archive.box("1.2.3.999.1", 10, 20, 30, 40)
    manifest = ingest_on_ray(archive, root / "table", workers=2)
    refused = pq.read_table(root / "table" / "quarantine.parquet").to_pylist()
    shards = [pq.read_table(path) for path in sorted((root / "table" / "images").glob("part-*"))]
    paths = sorted(path.relative_to(archive.root).as_posix() for path in images.iterdir())
    path_of = {ids.file(path): path for path in paths}
    rows = {path_of[row["file_id"]]: row for row in pa.concat_tables(shards).to_pylist()}
    reasons = {path_of[one["file_id"]].removeprefix("images/"): one["reason"] for one in refused}
    return Ingested(archive, root / "table", manifest, reasons, rows)
