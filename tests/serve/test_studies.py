"""STOW-RS to the running endpoint."""

import io

import pydicom
import pytest

from mgray.recipes.stow import related
from serve.studies import receipt

pytestmark = pytest.mark.ray
STUDY = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}


@pytest.fixture
def post(client, archive):
    archive.stored.clear()
    archive.status = 200

    def send(*bodies):
        kind, body = related(bodies)
        return client.post("/studies", content=body, headers={"Content-Type": kind})

    yield send
    archive.status = 200


def test_a_study_is_answered_with_a_receipt_and_its_report_is_stored(post, archive, make_dicom):
    bodies = [make_dicom(n, **STUDY, SOPInstanceUID=f"1.2.3.4.{n}") for n in (1, 2)]
    answer = post(*bodies)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    named = [item["00081155"]["Value"][0] for item in answer.json()["00081199"]["Value"]]
    assert named == ["1.2.3.4.1", "1.2.3.4.2"]
    (report,) = archive.stored
    read = pydicom.dcmread(io.BytesIO(report))
    assert (read.StudyInstanceUID, read.SOPClassUID.name) == ("1.2.3", "Comprehensive SR Storage")


def test_without_a_stored_report_nothing_was_taken(post, archive, make_dicom):
    archive.status = 500
    answer = post(make_dicom(**STUDY))
    assert (answer.status_code, answer.json()["code"]) == (503, "archive")


def test_a_bad_image_refuses_the_study(post, archive, make_dicom):
    answer = post(make_dicom(**STUDY), b"just text\n" * 50)
    assert (answer.status_code, answer.json()["code"]) == (415, "not_dicom")
    assert archive.stored == []


def test_the_receipt_is_in_the_json_model():
    assert receipt([("1.2", "1.3")]) == {
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": ["1.2"]},
                    "00081155": {"vr": "UI", "Value": ["1.3"]},
                }
            ],
        }
    }
