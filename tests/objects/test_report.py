import io
import logging

import pydicom
import pytest

from mgray.errors import Rejected
from mgray.objects.content import file_bytes
from mgray.objects.report import build_report


@pytest.fixture(scope="module")
def report(make_image, author):
    image, _ = make_image()
    return build_report([image], 0.9, author)


def items(dataset, kind):
    """All content items of a value type, at all depths."""
    found = [dataset] if dataset.get("ValueType") == kind else []
    return found + [
        one for child in dataset.get("ContentSequence", []) for one in items(child, kind)
    ]


def test_dciodvfy_finds_no_error(report, errors):
    assert errors(file_bytes(report)) == []


def test_without_a_mark_it_is_valid_too(make_image, author, errors):
    image, _ = make_image(marks=[])
    assert errors(file_bytes(build_report([image], 0.0, author))) == []


def test_of_an_image_that_tells_little_it_is_valid_too(make_image, author, errors):
    image, _ = make_image(
        PatientName=None, PatientID=None, StudyDate=None, StudyTime=None, ImageLaterality=None,
        PatientBirthDate=None, PatientSex=None, PatientOrientation=None,
    )  # fmt: skip
    assert errors(file_bytes(build_report([image], 0.9, author))) == []


def test_of_four_images_it_is_valid_and_names_each(make_image, author, errors):
    images = [make_image(SOPInstanceUID=f"1.2.3.4.{n}")[0] for n in range(4)]
    data = file_bytes(build_report(images, 0.9, author))
    assert errors(data) == []
    read = pydicom.dcmread(io.BytesIO(data))
    (study,) = read.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    named = {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence}
    assert named == {f"1.2.3.4.{n}" for n in range(4)}


def test_it_belongs_to_the_patient_and_study_of_its_image(report):
    assert (str(report.PatientName), report.PatientID) == ("DOE^JANE", "X1")
    assert (report.StudyInstanceUID, report.AccessionNumber) == ("1.2.3", "A1")
    assert report.SeriesInstanceUID != "1.2.3.4"


def test_regions_are_the_boxes_on_the_source_image(report):
    first, second = items(report, "SCOORD")
    assert first.GraphicType == "POLYLINE"
    x0, y0, x1, y1 = 1.5, 2.5, 30.25, 60.75
    assert list(first.GraphicData) == [x0, y0, x1, y0, x1, y1, x0, y1, x0, y0]
    (image,) = first.ContentSequence
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    assert list(second.GraphicData)[4:6] == [200, 300]


def test_scores_are_per_cent(report):
    values = [float(one.MeasuredValueSequence[0].NumericValue) for one in items(report, "NUM")]
    assert values == pytest.approx([90, 83, 83, 30])


def test_the_model_is_named_with_its_hash_and_the_notice(report):
    said = {one.TextValue for one in items(report, "TEXT")}
    assert {"mgray fused", "3f2a", f"weights sha256 {'ab' * 32}"} <= said
    assert "For research; not for diagnosis." in said


def test_names_of_other_alphabets_survive(make_image, author):
    name = "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"
    image, _ = make_image(SpecificCharacterSet="ISO_IR 192", PatientName=name)
    read = pydicom.dcmread(io.BytesIO(file_bytes(build_report([image], 0.9, author))))
    assert str(read.PatientName) == name


def test_nothing_is_logged(make_image, author, caplog):
    caplog.set_level(logging.DEBUG)
    image, _ = make_image(PatientName="MARKER")
    file_bytes(build_report([image], 0.9, author))
    assert caplog.text == ""


def test_two_reports_are_two_objects(make_image, author):
    image, _ = make_image()
    one, two = (build_report([image], 0.9, author) for _ in range(2))
    assert one.SOPInstanceUID != two.SOPInstanceUID


def test_images_of_two_patients_are_no_report(make_image, author):
    images = [make_image(PatientID=patient)[0] for patient in ("ONE", "TWO")]
    with pytest.raises(Rejected, match="Patient ID differs between the images"):
        build_report(images, 0.9, author)
