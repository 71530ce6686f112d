import pytest

from mgray.objects.content import file_bytes
from mgray.objects.presentation import build_presentation


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"marks": []},
        {"WindowCenter": 500, "WindowWidth": 100},
        {"WindowCenter": 500, "WindowWidth": 100, "VOILUTFunction": "SIGMOID"},
        {"RescaleSlope": 1, "RescaleIntercept": -10},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PatientID": None, "PatientName": None},
    ],
)
def test_dciodvfy_finds_no_error(make_image, author, errors, told):
    image, columns = make_image(**told)
    assert errors(file_bytes(build_presentation(image, columns, author))) == []


def test_a_table_of_grey_is_taken_over(make_image, author, errors):
    image, columns = make_image()
    table = [0.0, 12.0, *map(float, range(4096))]  # presentation states have 8 or 16 bits
    made = build_presentation(image, columns | {"voi_lut": table}, author)
    assert errors(file_bytes(made)) == []
    assert list(made.SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTDescriptor) == [4096, 0, 16]


def test_it_shows_the_boxes_with_class_and_score(make_image, author):
    image, columns = make_image()
    (drawn,) = build_presentation(image, columns, author).GraphicAnnotationSequence
    first, second = drawn.GraphicObjectSequence
    assert list(first.GraphicData)[:4] == [1.5, 2.5, 30.25, 2.5]
    assert list(second.GraphicData)[4:6] == [200, 300]
    words = [one.UnformattedTextValue for one in drawn.TextObjectSequence]
    assert words == ["malignant 0.83", "benign 0.30"]


def test_it_belongs_to_its_image(make_image, author):
    image, columns = make_image()
    made = build_presentation(image, columns, author)
    assert (made.StudyInstanceUID, made.PatientID, made.Laterality) == ("1.2.3", "X1", "R")
    (series,) = made.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.2.3.4"
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"


def test_bright_low_values_stay_bright(make_image, author):
    image, columns = make_image(PhotometricInterpretation="MONOCHROME1")
    assert build_presentation(image, columns, author).PresentationLUTShape == "INVERSE"
