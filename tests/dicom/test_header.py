import struct

import numpy as np
import pytest

from mgray.dicom.attributes import integer, text
from mgray.dicom.example import SYNTAX, example_file
from mgray.dicom.header import parse
from mgray.dicom.limits import Limits
from mgray.errors import Rejected

IMAGE = np.arange(20 * 16).reshape(20, 16)


@pytest.mark.parametrize("syntax", sorted(SYNTAX.keys() - {"j2k"}))
def test_every_syntax_is_parsed(syntax):
    dataset, found, _ = parse(example_file(IMAGE, syntax), Limits())
    assert found == SYNTAX[syntax]
    assert (integer(dataset, "Rows"), text(dataset, "Modality")) == (20, "MG")


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
