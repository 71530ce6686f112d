import hashlib

import numpy as np
import pyarrow as pa
import pytest
from blake3 import blake3

from mgray.dicom.columns import bright_copy
from mgray.dicom.example import example_file
from mgray.dicom.record import read_record
from mgray.schema import IMAGE

BREAST = np.int32(np.where(np.hypot(*np.mgrid[-60:60, 0:100]) < 55, 2000 + np.arange(100), 100))
NEGATIVE = 4095 - BREAST


def test_columns_are_those_of_the_table():
    columns = read_record(example_file(BREAST, "j2k")).columns
    assert columns.keys() <= set(IMAGE.names)
    fields = [field for field in IMAGE if field.name in columns]
    for field in fields:
        array = pa.array([columns[field.name]], type=field.type)
        assert field.nullable or array.null_count == 0


@pytest.mark.parametrize("inverse", [False, True])
def test_padding_becomes_the_darkest_of_the_imaged_area(inverse):
    told = {
        "photometric_interpretation": "MONOCHROME1" if inverse else "MONOCHROME2",
        "presentation_lut_shape": None,
        "rescale_slope": None,
        "pixel_padding_value": 9,
        "pixel_padding_range_limit": 10,
    }
    stored = np.array([[9, 10, 3], [5, 7, 8]], np.uint16)
    found = bright_copy(stored, told)
    expected = [[-8, -8, -3], [-5, -7, -8]] if inverse else [[3, 3, 3], [5, 7, 8]]
    assert found.tolist() == expected


def test_what_the_table_needs_of_a_file_is_there():
    columns = read_record(example_file(BREAST)).columns
    others = {"image_id", "patient_id", "exam_id", "dataset", "split", "annotations"}
    needed = {field.name for field in IMAGE if not field.nullable} - others
    assert needed <= {name for name, value in columns.items() if value is not None}


def test_fingerprints_are_of_file_and_of_stored_values():
    data = example_file(BREAST, "htj2k")
    columns = read_record(data).columns
    assert columns["source_sha256"] == hashlib.sha256(data).hexdigest()
    assert columns["pixel_blake3"] == blake3(BREAST.astype("<u2").tobytes()).hexdigest()


def test_same_pixels_in_two_syntaxes_have_one_fingerprint():
    found = {read_record(example_file(BREAST, s)).columns["pixel_blake3"] for s in ("rle", "j2k")}
    assert len(found) == 1


def test_attributes_are_read():
    columns = read_record(
        example_file(
            BREAST,
            WindowCenter=[500, 600],
            WindowWidth=[1000, 1200],
            VOILUTFunction="SIGMOID",
            RescaleSlope=2,
            RescaleIntercept=-7,
            PixelPaddingValue=5,
            ImagerPixelSpacing=[0.07, 0.07],
            PatientOrientation=["A", "R"],
            Manufacturer="HOLOGIC",
        )
    ).columns
    assert columns["window_center"] == [500.0, 600.0]
    assert columns["window_width"] == [1000.0, 1200.0]
    assert (columns["rescale_slope"], columns["rescale_intercept"]) == (2.0, -7.0)
    assert columns["voi_lut_function"] == "SIGMOID"
    assert columns["pixel_padding_value"] == 5
    assert columns["imager_pixel_spacing_mm"] == [0.07, 0.07]
    assert columns["patient_orientation"] == ["A", "R"]
    assert columns["image_type"] == ["ORIGINAL", "PRIMARY"]
    assert columns["manufacturer"] == "HOLOGIC"
    assert columns["laterality_source"] == "tag"


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big"])
def test_padding_of_signed_pixels_is_signed(syntax):
    columns = read_record(
        example_file(BREAST - 1000, syntax, signed=True, PixelPaddingValue=-900)
    ).columns
    assert columns["pixel_padding_value"] == -900


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big"])
def test_voi_lut_is_read_in_every_byte_order(syntax):
    from pydicom import Dataset

    item = Dataset()
    item.LUTDescriptor = [4, 100, 12]
    item.LUTData = np.array([0, 10, 2000, 4095], ">u2" if syntax == "big" else "<u2").tobytes()
    columns = read_record(example_file(BREAST, syntax, VOILUTSequence=[item])).columns
    assert columns["voi_lut"] == [100.0, 12.0, 0.0, 10.0, 2000.0, 4095.0]


def test_breast_box_and_face_are_found():
    columns = read_record(example_file(BREAST)).columns
    assert columns["pixels_face"] == "right"
    np.testing.assert_allclose(columns["breast_box"], [0, 5, 55, 115], atol=4)


def test_monochrome1_and_padding_do_not_hide_the_breast():
    dark = np.where(BREAST == 100, 4095, 3000 - BREAST)
    columns = read_record(
        example_file(dark, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=4095)
    ).columns
    assert columns["pixels_face"] == "right"
    assert "monochrome1" in columns["qc_flags"]


@pytest.mark.parametrize(
    ("attributes", "flag"),
    [
        ({"ImageLaterality": "R"}, "laterality_tag_vs_pixels"),
        ({"PatientOrientation": ["P", "L"]}, "laterality_tag_vs_pixels"),
        ({}, "voi_missing"),
        ({"BreastImplantPresent": "YES"}, "implant"),
        ({"PaddleDescription": "SPOT"}, "spot_or_mag"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for_processing"),
        ({"BitsStored": 10, "HighBit": 9}, "values_over_bits_stored"),
    ],
)
def test_flag_is_set(attributes, flag):
    assert flag in read_record(example_file(BREAST, **attributes)).columns["qc_flags"]


@pytest.mark.parametrize("attributes", [{}, {"PixelIntensityRelationshipSign": 1}])
@pytest.mark.parametrize(
    ("pixels", "photometric", "suspect"),
    [
        (BREAST, "MONOCHROME2", False),
        (BREAST, "MONOCHROME1", True),
        (NEGATIVE, "MONOCHROME2", True),
        (NEGATIVE, "MONOCHROME1", False),
    ],
)
def test_pixels_tell_the_polarity_whatever_the_header(pixels, photometric, suspect, attributes):
    told = {"PhotometricInterpretation": photometric, **attributes}
    assert (
        "polarity_suspect" in read_record(example_file(pixels, **told)).columns["qc_flags"]
    ) is (suspect)


def test_polarity_of_a_spot_view_is_not_judged_since_it_may_show_no_air():
    data = example_file(NEGATIVE, PaddleDescription="SPOT")
    assert "polarity_suspect" not in read_record(data).columns["qc_flags"]


def test_a_plain_image_has_no_flags():
    data = example_file(BREAST, WindowCenter=2000, WindowWidth=4000)
    assert read_record(data).columns["qc_flags"] == []


def test_an_empty_exposure_is_flagged():
    columns = read_record(example_file(np.full((80, 60), 7))).columns
    assert "near_empty" in columns["qc_flags"]
    assert columns["breast_box"] is None


@pytest.mark.parametrize("steps", [[0, 0], [0.1, 0], [-0.1, -0.1], [0.1, 0.1, 0.1], [0.1]])
def test_a_spacing_that_cannot_be_is_none(steps):
    """A radius in millimetres would be endless, or negative, in pixels."""
    columns = read_record(example_file(BREAST, ImagerPixelSpacing=steps)).columns
    assert columns["imager_pixel_spacing_mm"] is None
