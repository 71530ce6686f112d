"""The running endpoint's answers as DICOM."""

import io
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from serve.intake import split_parts

pytestmark = pytest.mark.ray
DCIODVFY = Path(sys.executable).with_name("dciodvfy")
IDENTITY = {
    "PatientName": "MARKER^A",
    "PatientID": "MARKER-B",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "ImageLaterality": "R",
}


def ask(client, *bodies, accept="application/dicom", **query):
    files = [("file", ("x.dcm", body)) for body in bodies]
    return client.post("/v1/detect", files=files, params=query, headers={"Accept": accept})


def objects(answer):
    assert answer.status_code == 200, answer.text
    kind = answer.headers["content-type"]
    if kind == "application/dicom":
        return [answer.content]
    return split_parts(answer.content, kind.split("boundary=")[1], 16)


def errors(data, folder):
    (folder / "x.dcm").write_bytes(data)
    done = subprocess.run([DCIODVFY, folder / "x.dcm"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert lines
    return [line for line in lines if line.startswith("Error")]


@pytest.mark.parametrize(
    ("form", "sop_class"),
    [
        ("sr", "Comprehensive SR Storage"),
        ("gsps", "Grayscale Softcopy Presentation State Storage"),
        ("sc", "Secondary Capture Image Storage"),
    ],
)
def test_each_form_is_valid_and_of_the_source_study(client, make_dicom, tmp_path, form, sop_class):
    (data,) = objects(ask(client, make_dicom(**IDENTITY), **{"as": form}))
    assert errors(data, tmp_path) == []
    read = pydicom.dcmread(io.BytesIO(data))
    assert read.SOPClassUID.name == sop_class
    assert (read.StudyInstanceUID, read.PatientID) == ("1.2.3", "MARKER-B")
    assert str(read.PatientName) == "MARKER^A"


def test_the_report_holds_the_boxes_above_the_operating_point(client, make_dicom):
    body = make_dicom(**IDENTITY)
    answer = ask(client, body, accept="application/json").json()
    (image,) = answer["images"]
    for fppi in ("0.5", "1"):
        (data,) = objects(ask(client, body, fppi=fppi))
        regions = str(pydicom.dcmread(io.BytesIO(data))).count("POLYLINE")
        limit = answer["thresholds"][fppi]
        chosen = [d for d in image["detections"] if d["label"] == "malignant"]
        assert regions == sum(d["score"] >= limit for d in chosen)


def test_an_exam_is_one_report_and_a_capture_of_each_image(client, make_dicom, tmp_path):
    bodies = [make_dicom(n, **IDENTITY, SOPInstanceUID=f"1.2.3.4.{n}") for n in (1, 2)]
    (report,) = objects(ask(client, *bodies))
    captures = objects(ask(client, *bodies, **{"as": "sc"}))
    assert [errors(data, tmp_path) for data in (report, *captures)] == [[], [], []]


def test_images_of_two_studies_make_no_report(client, make_dicom):
    bodies = [make_dicom(**IDENTITY | {"StudyInstanceUID": uid}) for uid in ("1.2.3", "1.2.4")]
    answer = ask(client, *bodies)
    assert (answer.status_code, answer.json()["code"]) == (422, "several_exams")
    assert ask(client, *bodies, accept="*/*").json()["exam"]["warnings"][0]["code"] == (
        "several_exams"
    )


def test_an_image_without_a_series_makes_no_report(client, make_dicom):
    answer = ask(client, make_dicom(**IDENTITY | {"SeriesInstanceUID": None}))
    assert (answer.status_code, answer.json()["code"]) == (422, "missing_identity")
    assert "MARKER" not in answer.text


def test_another_media_type_is_406(client, make_dicom):
    assert ask(client, make_dicom(), accept="text/html").json()["code"] == "not_acceptable"


def test_json_holds_nothing_of_the_patient(client, make_dicom):
    assert "MARKER" not in ask(client, make_dicom(**IDENTITY), accept="application/json").text
