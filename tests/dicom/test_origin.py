import io

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite

from mgray.dicom.child import DecodeChild
from mgray.dicom.example import example_file
from mgray.dicom.origin import MOST_CHARACTERS, read_origin
from mgray.dicom.quiet import quiet
from mgray.errors import Rejected

IMAGE = np.zeros((64, 48), np.uint16)


def make(**attributes):
    return example_file(IMAGE, SeriesInstanceUID="1.2.3.9", **attributes)


def test_the_patient_and_the_study_are_read():
    found = read_origin(make(PatientName="DOE^JANE", PatientID=" X1 ", StudyDate="20240131"))
    assert found["PatientName"] == "DOE^JANE"
    assert found["PatientID"] == "X1"
    assert (found["StudyDate"], found["SeriesInstanceUID"]) == ("20240131", "1.2.3.9")


def test_nothing_else_is_read():
    assert "PatientComments" not in read_origin(make(PatientComments="private"))


def test_names_of_other_alphabets_are_read():
    name = "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"
    body = make(SpecificCharacterSet="ISO_IR 192", PatientName=name)
    assert read_origin(body)["PatientName"] == name


@pytest.mark.parametrize("told", [{"PatientID": None}, {"PatientID": ""}])
def test_what_is_absent_or_empty_is_left_out(told):
    assert "PatientID" not in read_origin(make(**told))


def test_a_long_value_does_not_come_whole():
    with quiet():
        body = make(PatientName="x" * 5000)
    assert len(read_origin(body)["PatientName"]) == MOST_CHARACTERS + 1


def test_the_child_reads_the_same():
    body = make(PatientName="DOE^JANE")
    with DecodeChild() as child:
        assert child.read_origin(body) == read_origin(body)
        with pytest.raises(Rejected) as refused:
            child.read_origin(b"just text" * 50)
    assert refused.value.reason == "not_dicom"


def test_a_file_on_disk_is_read_too(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(make(PatientID="X1"))
    with DecodeChild() as child:
        assert child.read_origin(path)["PatientID"] == "X1"


@pytest.mark.parametrize(
    ("told", "found"), [(["a", "b"], "a\\b"), (["a", ""], "a\\"), ([" a ", "b"], "a\\b")]
)
def test_several_values_are_read_as_the_file_has_them(told, found):
    assert read_origin(make(PatientID=told))["PatientID"] == found


def test_a_value_that_is_no_text_is_one_that_none_may_have():
    dataset = dcmread(io.BytesIO(make(PatientID=None)))
    dataset.add_new("PatientID", "OB", b"X1")
    file = io.BytesIO()
    dcmwrite(file, dataset)
    assert read_origin(file.getvalue())["PatientID"] == "\\"
