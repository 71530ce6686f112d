import pytest
from pydicom import Dataset

from mgray.dicom.view import (
    faces_left,
    laterality,
    orientation,
    side_contradicted,
    view,
    view_modifiers,
)


def dataset(**attributes):
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def code(value, modifiers=()):
    item = dataset(CodeValue=value, CodingSchemeDesignator="SCT")
    if modifiers:
        item.ViewModifierCodeSequence = [code(modifier) for modifier in modifiers]
    return item


def test_coded_view_goes_before_the_written_one():
    assert view(dataset(ViewCodeSequence=[code("399368009")], ViewPosition="CC")) == "MLO"


@pytest.mark.parametrize(
    ("value", "name"), [("R-10242", "CC"), ("R-10226", "MLO"), ("399260004", "ML")]
)
def test_old_and_new_codes_are_known(value, name):
    assert view(dataset(ViewCodeSequence=[code(value)])) == name


def test_view_position_is_used_without_code():
    assert view(dataset(ViewPosition="MLO")) == "MLO"


def test_unknown_code_falls_back():
    assert view(dataset(ViewCodeSequence=[code("1")], ViewPosition="XCCL")) == "XCCL"


def test_no_view_is_none():
    assert view(dataset(ViewPosition="LEFT")) is None


def test_cbis_ddsm_writes_the_view_as_orientation():
    film = dataset(PatientOrientation="MLO")
    assert view(film) == "MLO"
    assert orientation(film) is None


def test_orientation_is_kept_as_written():
    assert orientation(dataset(PatientOrientation=["A", "FR"])) == ["A", "FR"]


@pytest.mark.parametrize(
    ("attributes", "side"),
    [
        ({"ImageLaterality": "R", "Laterality": "L"}, "R"),
        ({"Laterality": "L"}, "L"),
        ({"ViewPosition": "RIGHT"}, "R"),
        ({"ImageLaterality": "B"}, None),
        ({}, None),
    ],
)
def test_laterality_order(attributes, side):
    assert laterality(dataset(**attributes)) == side


def test_frame_laterality_of_shared_groups_is_found():
    anatomy = dataset(FrameLaterality="L")
    shared = dataset(FrameAnatomySequence=[anatomy])
    assert laterality(dataset(SharedFunctionalGroupsSequence=[shared])) == "L"


def test_modifiers_nested_in_the_view_are_listed():
    coded = [code("399162004", ["399055006", "399163009", "399209000", "unknown"])]
    assert view_modifiers(dataset(ViewCodeSequence=coded)) == [
        "implant_displaced",
        "magnification",
        "spot",
    ]


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"PaddleDescription": "10CM SPOT"}, ["spot"]),
        ({"PaddleDescription": "SPT"}, ["spot"]),
        ({"ViewPosition": "CC MAG"}, ["magnification"]),
        ({}, []),
    ],
)
def test_modifiers_written_as_text_are_found(attributes, found):
    assert view_modifiers(dataset(**attributes)) == found


@pytest.mark.parametrize(
    ("row", "left"),
    [
        ({"pixels_face": "left", "laterality": "L"}, True),
        ({"pixels_face": "right", "laterality": "R", "patient_orientation": ["P", "F"]}, False),
        ({"patient_orientation": ["P", "F"], "laterality": "L"}, True),
        ({"patient_orientation": ["A", "F"], "laterality": "R"}, False),
        ({"laterality": "R"}, True),
        ({"laterality": "L"}, False),
        ({}, False),
    ],
)
def test_where_the_pixels_do_not_tell_the_header_says_which_way_to_mirror(row, left):
    unknown = {"pixels_face": "unknown", "patient_orientation": None, "laterality": None}
    assert faces_left({**unknown, **row}) is left


@pytest.mark.parametrize(
    ("row", "against"),
    [
        ({"pixels_face": "left", "laterality": "L"}, True),
        ({"pixels_face": "right", "laterality": "L"}, False),
        ({"pixels_face": "left", "laterality": "L", "patient_orientation": ["P", "R"]}, False),
        ({"pixels_face": "right", "laterality": "L", "patient_orientation": ["P", "R"]}, True),
        ({"pixels_face": "unknown", "laterality": "R"}, False),
        ({"pixels_face": None, "laterality": "R"}, False),
        ({"pixels_face": "left"}, False),
    ],
)
def test_side_is_held_against_the_pixels_unless_the_orientation_tells_how_they_run(row, against):
    unknown = {"pixels_face": "unknown", "patient_orientation": None, "laterality": None}
    assert side_contradicted({**unknown, **row}) is against
