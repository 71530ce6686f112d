import io

import numpy as np
import pytest
from PIL import Image

from mgray.dicom.door import read_file
from mgray.dicom.example import example_file
from mgray.dicom.record import read_record
from mgray.errors import Rejected

Y, X = np.mgrid[:96, :64]
PIXELS = np.where((Y - 48) ** 2 + X**2 < 900, 200, 0).astype(np.uint8)
RASTER = {"kind": "film", "raster": {"format": "picture", "uid": "a", "laterality": "L"}}


@pytest.fixture
def png():
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    return file.getvalue()


def test_dicom_goes_straight_through():
    data = example_file(PIXELS.astype(np.uint16))
    assert read_file(data) == read_record(data)
    assert read_file(data, hints={"kind": "film"}) == read_record(data, kind="film")


def test_file_on_disk_is_its_bytes(png, tmp_path):
    (tmp_path / "a.png").write_bytes(png)
    assert read_file(tmp_path / "a.png", hints=RASTER) == read_file(png, hints=RASTER)


def test_header_made_here_marks_no_kind(png):
    made = read_file(png, hints=RASTER)
    assert (made.header_kind, made.columns["image_kind"], made.columns["laterality"]) == (
        None, "film", "L",
    )  # fmt: skip


def test_header_alone_reads_no_pixels_and_no_masks(png):
    made = read_file(png, hints={**RASTER, "masks": [["gone.png"]]}, header_only=True)
    assert (made.columns["rows"], made.columns["columns"]) == (96, 64)
    assert not {"pixels", "masks"} & made.columns.keys()


def test_missing_file_is_unreadable(tmp_path):
    with pytest.raises(Rejected) as error:
        read_file(tmp_path / "gone.png", hints=RASTER)
    assert error.value.reason == "unreadable"


def test_picture_without_a_hint_is_no_dicom(png):
    with pytest.raises(Rejected) as error:
        read_file(png)
    assert error.value.reason == "not_dicom"
