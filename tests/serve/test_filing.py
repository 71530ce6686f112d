import pytest

from mgray.dicom.origin import IDENTIFIERS
from mgray.errors import Rejected
from serve.answers import Answer, Found
from serve.examples import ANSWER
from serve.filing import (
    MOST_MARKS,
    Filed,
    Wanted,
    choose_form,
    dicom_response,
    shown,
    write_objects,
)
from serve.problems import Problem


def found(score, label="malignant"):
    return Found(box=(0, 0, 1, 1), box_mm=None, score=score, label=label)


@pytest.mark.parametrize(
    ("accept", "query", "form"),
    [
        (None, {}, None),
        ("*/*", {}, None),
        ("application/json", {"as": "sc"}, None),
        ("text/html, application/json", {}, None),
        ("application/dicom", {}, "sr"),
        ("Application/DICOM; q=0.9", {"as": "gsps"}, "gsps"),
        ('multipart/related; type="application/dicom"', {"as": "sc"}, "sc"),
        ("*/*", {"as": "sc"}, "sc"),
        ("application/json, application/dicom", {}, None),
        ("application/dicom, application/json", {}, "sr"),
    ],
)
def test_accept_and_as_choose_the_form(accept, query, form):
    assert choose_form(accept, Wanted(**query)) == form


def test_no_known_media_type_is_406():
    with pytest.raises(Problem) as refused:
        choose_form("text/html", Wanted())
    assert refused.value.status == 406


def test_malignant_marks_at_the_threshold_are_shown():
    marks = [found(0.9), found(0.5), found(0.49), found(0.8, "benign")]
    assert [one.score for one in shown(marks, 0.5)] == [0.9, 0.5]


def test_no_more_than_twenty_are_shown():
    assert len(shown([found(0.9)] * 50, 0.5)) == MOST_MARKS == 20


def test_one_object_is_sent_as_it_is():
    answer = dicom_response([b"one"])
    assert (answer.body, answer.media_type) == (b"one", "application/dicom")


def test_several_objects_are_parts_that_intake_reads():
    from email.message import Message

    from serve.intake import split_parts

    answer = dicom_response([b"one", b"two\r\n"])
    media = Message()
    media["content-type"] = answer.headers["content-type"]
    assert media.get_param("type") == "application/dicom"
    assert split_parts(answer.body, str(media.get_param("boundary")), 3) == [b"one", b"two\r\n"]


COLUMNS = {
    "rows": 20, "columns": 20, "laterality": "L", "patient_orientation": None,
    "rescale_slope": None, "rescale_intercept": None, "window_center": None, "window_width": None,
    "voi_lut": None, "voi_lut_function": None, "photometric_interpretation": "MONOCHROME2",
    "presentation_lut_shape": None,
}  # fmt: skip
MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
ORIGIN = dict.fromkeys(IDENTIFIERS, "1.2.3") | {"SOPClassUID": MAMMOGRAM}


def test_the_sources_of_the_objects_are_told():
    written = write_objects(
        "sr", "1", Answer.model_validate(ANSWER), [Filed(ORIGIN, COLUMNS, None)]
    )
    assert written.sources == [(MAMMOGRAM, "1.2.3")]
    assert written.objects[0][128:132] == b"DICM"


@pytest.mark.parametrize(
    ("origin", "columns"),
    [
        ({}, {"voi_lut": [-5.0, 8.0, *map(float, range(256))]}),
        ({"SOPClassUID": "1.2.3"}, {}),
    ],
)
def test_a_value_that_cannot_be_repeated_is_a_refusal(origin, columns):
    filed = Filed(ORIGIN | origin, COLUMNS | columns, None)
    with pytest.raises(Rejected) as refused:
        write_objects("gsps", "1", Answer.model_validate(ANSWER), [filed])
    assert refused.value.reason == "corrupt_header"


def two(**second):
    """An answer for two images, and the images; what the second one's header says differs."""
    told = Answer.model_validate(ANSWER)
    image = told.images[0].model_copy(update={"detections": []})
    told = told.model_copy(update={"images": [image, image]})
    other = ORIGIN | {"PatientID": "MARKER", "SOPInstanceUID": "1.2.4"}
    filed = [
        Filed(one, COLUMNS, None) for one in (ORIGIN | {"PatientID": "MARKER"}, other | second)
    ]
    return told, filed


@pytest.mark.parametrize("patient", ["OTHER", ""])
def test_one_report_of_two_patients_is_refused_and_names_neither(patient):
    with pytest.raises(Rejected, match="Patient ID differs between the images") as refused:
        write_objects("sr", "1", *two(PatientID=patient))
    assert refused.value.reason == "missing_identity"
    assert not {"MARKER", "OTHER"} & set(str(refused.value).split())


@pytest.mark.parametrize(("form", "patient"), [("sr", "MARKER"), ("gsps", "OTHER")])
def test_one_patient_or_an_object_for_each_image_is_no_mixture(form, patient):
    assert len(write_objects(form, "1", *two(PatientID=patient)).sources) == 2
