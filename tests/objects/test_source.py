import numpy as np
import pytest

from mgray.dicom.example import example_file
from mgray.dicom.origin import read_origin
from mgray.errors import Rejected
from mgray.objects.source import build_source

COLUMNS = {"rows": 3, "columns": 2, "laterality": "L"}
ORIGIN = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2",
    "SOPInstanceUID": "1.2.3.4",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.9",
}


def test_identity_and_size_are_taken_over():
    source = build_source(ORIGIN | {"PatientName": "DOE^JANE"}, COLUMNS)
    assert (source.StudyInstanceUID, str(source.PatientName)) == ("1.2.3", "DOE^JANE")
    assert (source.Rows, source.Columns, source.Laterality) == (3, 2, "L")


@pytest.mark.parametrize("name", ORIGIN)
@pytest.mark.parametrize("uid", [None, "", "x", "1.02.3", "1." * 33 + "1", "1..2", "1.2\n"])
def test_a_missing_or_malformed_uid_is_refused(name, uid):
    origin = {key: value for key, value in (ORIGIN | {name: uid}).items() if value is not None}
    with pytest.raises(Rejected) as refused:
        build_source(origin, COLUMNS)
    assert refused.value.reason == "missing_identity"


def test_a_refusal_names_the_tag_and_no_value():
    with pytest.raises(Rejected, match=r"\(0010,0020\) Patient ID") as refused:
        build_source(ORIGIN | {"PatientID": "MARKER" * 20}, COLUMNS)
    assert "MARKER" not in str(refused.value)


def test_an_absent_patient_id_is_empty():
    assert build_source(ORIGIN, COLUMNS).PatientID == ""


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("PatientBirthDate", "19600229", "19610229"),
        ("PatientBirthDate", "19600229", "1960-02-29"),
        ("StudyTime", "235959.123456", "245959"),
        ("PatientSex", "O", "W"),
        ("StudyID", "x" * 16, "x" * 17),
        ("AccessionNumber", "A 1", "A\x001"),
        ("PatientName", "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", "x" * 65),
        ("PatientName", "a=b=c", "a=b=c=d"),
        ("ReferringPhysicianName", "DR^X", "a\\b"),
        ("PatientName", "x" * 64, "\ud800"),
        ("PatientName", "\u0645\u06cc\u200c\u0631", "\u0645\x85\u0631"),
    ],
)
def test_a_value_that_is_not_valid_is_empty(name, good, bad):
    assert str(build_source(ORIGIN | {name: good}, COLUMNS)[name].value) == good
    assert not build_source(ORIGIN | {name: bad}, COLUMNS)[name].value


def test_several_patient_ids_of_a_file_are_refused():
    body = example_file(np.zeros((8, 8), np.uint16), PatientID=["A", "B"])
    with pytest.raises(Rejected, match=r"\(0010,0020\) Patient ID is missing or malformed"):
        build_source(read_origin(body), COLUMNS)
