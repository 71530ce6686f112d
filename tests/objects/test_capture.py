import io

import numpy as np
import pydicom
import pytest

from mgray.objects.capture import build_capture, burn
from mgray.objects.content import file_bytes

GREY = np.full((300, 200), 100, np.uint8)


@pytest.mark.parametrize(
    "told",
    [{}, {"marks": []}, {"PatientOrientation": None}, {"PatientOrientation": ["X", "Y"]},
     {"ImageLaterality": None, "PatientName": None, "PatientSex": None}],
)  # fmt: skip
def test_dciodvfy_finds_no_error(make_image, author, errors, told):
    image, columns = make_image(**told)
    assert errors(file_bytes(build_capture(image, GREY, columns, author))) == []


def test_it_belongs_to_the_study_and_says_that_marks_are_burned_in(make_image, author):
    image, columns = make_image()
    made = build_capture(image, GREY, columns, author)
    assert (made.StudyInstanceUID, made.PatientID, made.Laterality) == ("1.2.3", "X1", "R")
    assert (made.BurnedInAnnotation, list(made.PatientOrientation)) == ("YES", ["P", "L"])


def test_the_pixels_are_those_that_were_drawn(make_image, author):
    image, columns = make_image()
    data = file_bytes(build_capture(image, GREY, columns, author))
    read = pydicom.dcmread(io.BytesIO(data)).pixel_array
    np.testing.assert_array_equal(read, burn(GREY, image.marks))


def test_a_box_is_drawn_on_its_edge(make_image):
    image, _ = make_image()
    drawn = burn(GREY, image.marks[:1])
    assert (drawn[10:60, 2] == 255).all()
    assert (drawn[10:60, 29] == 255).all()
    assert (drawn[20:50, 10:20] == 100).all()
    assert (drawn[100:, 100:] == 100).all()


def test_the_picture_is_not_changed(make_image):
    image, _ = make_image()
    before = GREY.copy()
    burn(GREY, image.marks)
    np.testing.assert_array_equal(GREY, before)
