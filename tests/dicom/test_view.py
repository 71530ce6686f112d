import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sr._snomed_dict import mapping

from mgray.dicom.example import example_file
from mgray.dicom.record import read_record
from mgray.dicom.view import (
    MODIFIER_CODES,
    VIEW_CODES,
    faces_left,
    laterality,
    orientation,
    side_contradicted,
    told_laterality,
    told_view,
    view,
    view_modifiers,
)

RETIRED = mapping["SCT"]
"""The SNOMED-RT identifier of a SNOMED CT code."""


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


def retired(codes):
    """Every SNOMED CT code that has a retired identifier, with that."""
    return [(code, RETIRED[code]) for code in codes if code in RETIRED]


@pytest.mark.parametrize(("new", "old"), retired(VIEW_CODES))
def test_view_is_the_same_under_the_retired_code(new, old):
    found = view(dataset(ViewCodeSequence=[code(new)]))
    assert found is not None
    assert view(dataset(ViewCodeSequence=[code(old)])) == found


@pytest.mark.parametrize(("new", "old"), retired(MODIFIER_CODES))
def test_modifier_is_the_same_under_the_retired_code(new, old):
    found = view_modifiers(dataset(ViewCodeSequence=[code("399162004", [new])]))
    assert len(found) == 1
    assert view_modifiers(dataset(ViewCodeSequence=[code("R-10242", [old])])) == found


def test_retired_codes_are_those_that_stand_for_the_current_ones():
    tables = {*VIEW_CODES, *MODIFIER_CODES}
    current = {code for code in tables if code.isdigit()}
    assert tables - current - {"Y-X1770", "Y-X1771"} == {RETIRED[code] for code in current}


@pytest.mark.parametrize(
    ("written", "modifier"), [("R-102D6", "magnification"), ("R-102D7", "spot")]
)
def test_magnified_and_spot_views_are_flagged_under_retired_codes(written, modifier):
    pixels = np.zeros((96, 64), np.uint16)
    pixels[20:70, :40] = 2000
    file = example_file(pixels, ViewCodeSequence=[code("R-10242", [written])])
    columns = read_record(file).columns
    assert columns["view_modifiers"] == [modifier]
    assert "spot_or_mag" in columns["qc_flags"]


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


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"ImageLaterality": "B", "Laterality": "L"}, ("L", "Laterality")),
        ({"ImageLaterality": "R", "Laterality": "L"}, ("R", "ImageLaterality")),
        ({"Laterality": "X", "ViewPosition": "LEFT"}, ("L", "ViewPosition")),
        ({"Laterality": "X"}, None),
    ],
)
def test_side_is_told_with_the_tag_whose_word_was_taken(attributes, told):
    assert told_laterality(dataset(**attributes)) == told


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"ViewCodeSequence": [code("1")], "ViewPosition": "CC"}, ("CC", "ViewPosition")),
        ({"ViewCodeSequence": [code("R-10242")], "ViewPosition": "ML"}, ("CC", "ViewCodeSequence")),
        ({"ViewPosition": "LEFT", "PatientOrientation": "CC"}, ("CC", "PatientOrientation")),
        ({"ViewCodeSequence": [code("1")]}, None),
    ],
)
def test_view_is_told_with_the_tag_whose_word_was_taken(attributes, told):
    assert told_view(dataset(**attributes)) == told


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
