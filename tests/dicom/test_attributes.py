import numpy as np
import pytest

from mgray.dicom.attributes import integer, number, numbers, text, texts
from mgray.dicom.example import example_file
from mgray.dicom.header import parse
from mgray.dicom.limits import Limits
from mgray.errors import Rejected

IMAGE = np.arange(20 * 16).reshape(20, 16)


def test_absent_and_empty_values_are_none():
    dataset, *_ = parse(example_file(IMAGE, Manufacturer=""), Limits())
    assert text(dataset, "Manufacturer") is None
    assert number(dataset, "RescaleSlope") is None
    assert texts(dataset, "PatientOrientation") is None
    assert integer(dataset, "NumberOfFrames", 1) == 1


def test_zero_is_not_none():
    dataset, *_ = parse(example_file(IMAGE, RescaleIntercept=0), Limits())
    assert number(dataset, "RescaleIntercept") == 0.0


def test_one_value_and_many_are_lists():
    dataset, *_ = parse(example_file(IMAGE, WindowCenter=5, WindowWidth=[1, 2]), Limits())
    assert numbers(dataset, "WindowCenter") == [5.0]
    assert numbers(dataset, "WindowWidth") == [1.0, 2.0]


def test_fractions_are_no_integers():
    dataset, *_ = parse(example_file(IMAGE, RescaleSlope=1.5), Limits())
    with pytest.raises(Rejected, match="RescaleSlope is not a whole number"):
        integer(dataset, "RescaleSlope")
