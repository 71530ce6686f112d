import struct

import numpy as np
import pytest

from mgray.dicom.example import SYNTAX, example_file
from mgray.dicom.header import integer, number, numbers, parse, text, texts
from mgray.dicom.limits import Limits
from mgray.errors import Rejected

IMAGE = np.arange(20 * 16).reshape(20, 16)


@pytest.mark.parametrize("syntax", sorted(SYNTAX.keys() - {"j2k"}))
def test_every_syntax_is_parsed(syntax):
    dataset, found, _ = parse(example_file(IMAGE, syntax), Limits())
    assert found == SYNTAX[syntax]
    assert (integer(dataset, "Rows"), text(dataset, "Modality")) == (20, "MG")


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


def test_element_limit_counts_elements():
    data = example_file(IMAGE)
    parse(data, Limits(max_elements=60))
    with pytest.raises(Rejected, match="too many data elements"):
        parse(data, Limits(max_elements=5))


def test_items_before_the_pixels_are_counted_though_pixel_data_seems_to_begin_early():
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 60_000
    decoy = struct.pack("<HH2sH4s", 9, 0x1002, b"OB", 0, b"\x04\0\0\0") + b"\xe0\x7f\x10\0"
    sequence = struct.pack("<HH2sHI", 9, 0x1003, b"SQ", 0, len(items)) + items
    data = example_file(np.zeros((4, 4), int))
    at = data.index(b"\x10\x00\x20\x00LO")
    with pytest.raises(Rejected, match="too many sequence items"):
        parse(data[:at] + decoy + sequence + data[at:], Limits())
