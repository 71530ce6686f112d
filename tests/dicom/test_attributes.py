import numpy as np
import pytest

from mgray.dicom.attributes import (
    integer,
    number,
    numbers,
    stored_integer,
    text,
    texts,
    voi_lut,
)
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


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big"])
def test_padding_of_two_values_is_refused_by_its_keyword(syntax):
    dataset, *_ = parse(example_file(IMAGE, syntax, PixelPaddingValue=[7, 7]), Limits())
    with pytest.raises(Rejected) as caught:
        stored_integer(dataset, "PixelPaddingValue")
    assert caught.value.reason == "corrupt_header"
    assert caught.value.detail == "PixelPaddingValue is not one whole number"


@pytest.mark.parametrize("keyword", ["PixelPaddingValue", "PixelPaddingRangeLimit"])
@pytest.mark.parametrize(
    ("told", "found"), [(0x0800, -2048), (0x0FFF, -1), (-900, -900), (-32768, -32768), (5, 5)]
)
def test_signed_padding_has_the_two_s_complement_of_the_pixels(keyword, told, found):
    dataset, *_ = parse(example_file(IMAGE, signed=True, **{keyword: told}), Limits())
    assert stored_integer(dataset, keyword) == found


@pytest.mark.parametrize("told", [0, 0x0800, 0x0FFF, 65535])
def test_unsigned_padding_is_as_it_is_told(told):
    dataset, *_ = parse(example_file(IMAGE, PixelPaddingValue=told), Limits())
    assert stored_integer(dataset, "PixelPaddingValue") == told


def first_mapped(first, syntax, **attributes):
    from pydicom import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [4, first, 12])
    item.add_new("LUTData", "US", [0, 10, 2000, 4095])
    data = example_file(IMAGE, syntax, VOILUTSequence=[item], **attributes)
    dataset, *_ = parse(data, Limits())
    return voi_lut(dataset)[0]


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big"])
@pytest.mark.parametrize(
    "rescale",
    [
        {"RescaleSlope": 1, "RescaleIntercept": -2000},
        {"RescaleSlope": -1, "RescaleIntercept": 2000},
        {"RescaleIntercept": -1},
    ],
)
def test_first_mapped_value_is_signed_where_rescaled_values_are(syntax, rescale):
    assert first_mapped(-2000, syntax, **rescale) == -2000.0


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big"])
@pytest.mark.parametrize(
    "rescale", [{}, {"RescaleSlope": 16, "RescaleIntercept": 0}, {"RescaleIntercept": 40000}]
)
def test_first_mapped_value_is_unsigned_where_nothing_is_below_zero(syntax, rescale):
    assert first_mapped(40000, syntax, **rescale) == 40000.0
