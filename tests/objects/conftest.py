"""An image with a known identity, two marks on it, and dciodvfy."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mgray.dicom.example import example_file
from mgray.dicom.origin import read_origin
from mgray.dicom.record import read_record
from mgray.objects.content import Author, Marked
from mgray.objects.source import build_source

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
IDENTITY = {
    "PatientName": "DOE^JANE",
    "PatientID": "X1",
    "PatientBirthDate": "19600131",
    "PatientSex": "F",
    "StudyDate": "20240131",
    "StudyTime": "101010.5",
    "StudyID": "S1",
    "AccessionNumber": "A1",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "ImageLaterality": "R",
    "PatientOrientation": ["P", "L"],
}


class Mark(NamedTuple):
    box: tuple[float, float, float, float]
    score: float
    label: str


MARKS = [Mark((1.5, 2.5, 30.25, 60.75), 0.83, "malignant"), Mark((0, 0, 200, 300), 0.3, "benign")]


@pytest.fixture(scope="session")
def author() -> Author:
    return Author("fused", "3f2a", "ab" * 32, "malignant, score >= 0.3")


@pytest.fixture(scope="session")
def make_image() -> Callable[..., tuple[Marked, dict[str, Any]]]:
    """Build an image with marks, and its record's columns; attributes can be changed."""

    def make(marks: Any = MARKS, **attributes: Any) -> tuple[Marked, dict[str, Any]]:
        stored = np.random.default_rng(0).integers(0, 1000, (300, 200))
        body = example_file(stored, **(IDENTITY | attributes))
        columns = read_record(body).columns
        return Marked(build_source(read_origin(body), columns), list(marks), 0.83), columns

    return make


@pytest.fixture(scope="session")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], list[str]]:
    """What dciodvfy calls an error."""

    def check(data: bytes) -> list[str]:
        path = tmp_path_factory.mktemp("object") / "x.dcm"
        path.write_bytes(data)
        done = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        assert not any("No such file" in line for line in lines)
        return [line for line in lines if line.startswith("Error")]

    return check
