import numpy as np
import pytest
from pydicom import Dataset

from mgray.dicom.example import example_file
from mgray.errors import NotFoundError
from mgray.ingest.explain import InspectConfig, explain, picture

PRIVATE = {
    "PatientID": "MRN-4711",
    "PatientName": "Doe^Jane",
    "PatientBirthDate": "18970417",
    "StudyInstanceUID": "1.2.777",
    "Manufacturer": "HOLOGIC of Dr. Secret",
    "SeriesDescription": "for Jane",
}


def breast(rows=96, columns=64):
    y, x = np.mgrid[:rows, :columns]
    return np.where((y - rows / 2) ** 2 + x**2 < (rows / 3) ** 2, 2000 + x, 7).astype(np.uint16)


@pytest.fixture
def told(tmp_path):
    """Explain a file with these attributes."""

    def tell(data=None, **attributes):
        path = tmp_path / "jane.dcm"
        path.write_bytes(example_file(breast(), **attributes) if data is None else data)
        return explain(InspectConfig(file=path))

    return tell


def test_every_step_of_a_sound_file_is_told(told):
    made = told(
        PhotometricInterpretation="MONOCHROME1",
        RescaleSlope=2,
        WindowCenter=[1000, 5],
        WindowWidth=[2000, 6],
        VOILUTFunction="SIGMOID",
        PixelPaddingValue=7,
    )
    steps = dict(made.steps)
    assert made.refused is None
    assert steps["syntax"] == "Explicit VR Little Endian"
    assert steps["kind"] == "ffdm, told by image_type:ORIGINAL"
    assert steps["side"] == "L, told by ImageLaterality"
    assert steps["view"] == "CC, told by ViewPosition"
    assert steps["pixels"] == "64 x 96 pixels, 1 frame(s), 12 of 16 bits, unsigned"
    assert steps["codestream"].endswith("stored values 7 to 2031")
    assert steps["padding"].startswith("7: ")
    assert steps["rescale"] == "times 2, plus 0"
    assert steps["window"] == "SIGMOID window, centre 1000, width 2000, the first of 2"
    assert steps["inversion"] == "inverted once: MONOCHROME1"
    assert {"breast", "flags"} <= steps.keys()


def test_tag_is_named_whose_word_was_taken(told):
    unknown = Dataset()
    unknown.CodeValue, unknown.CodingSchemeDesignator = "1", "99X"
    made = told(ImageLaterality="B", Laterality="L", ViewCodeSequence=[unknown], ViewPosition="CC")
    steps = dict(made.steps)
    assert steps["side"] == "L, told by Laterality"
    assert steps["view"] == "CC, told by ViewPosition"


def test_side_that_is_written_as_the_view_is_told_by_its_tag(told):
    steps = dict(told(ImageLaterality=None, ViewPosition="RIGHT", PatientOrientation="MLO").steps)
    assert steps["side"] == "R, told by ViewPosition"
    assert steps["view"] == "MLO, told by PatientOrientation"


def test_modifiers_follow_the_view_and_a_missing_one_is_left_to_the_table(told):
    missing = "not in the header: your table must name it"
    assert dict(told(PaddleDescription="SPOT").steps)["view"] == "CC, told by ViewPosition, spot"
    steps = dict(told(ImageLaterality="B", ViewPosition="SPOT").steps)
    assert (steps["side"], steps["view"]) == (missing, missing)


@pytest.mark.parametrize(
    ("attributes", "reason", "last"),
    [
        ({"Modality": "CT", "SOPClassUID": "1.2.3"}, "wrong_modality", "syntax"),
        ({"BurnedInAnnotation": "YES"}, "burned_in", "view"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO_PROJ"]}, "unsupported_kind", "pixels"),
        ({"Rows": 95}, "header_mismatch", "pixels"),
        ({"ViewPosition": None}, "missing_identity", "flags"),
    ],
)
def test_steps_end_at_the_refusal(told, attributes, reason, last):
    made = told(**attributes)
    assert (made.refused.reason, made.steps[-1][0]) == (reason, last)


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"dear diary" * 99, "not_dicom")])
def test_what_is_no_dicom_has_no_steps(told, data, reason):
    made = told(data)
    assert (made.refused.reason, [name for name, _ in made.steps]) == (reason, ["file"])


@pytest.mark.parametrize("more", [{}, {"BurnedInAnnotation": "YES"}, {"ImageLaterality": "JANE"}])
def test_no_patient_data_is_told(told, more):
    made = told(**PRIVATE | more)
    words = repr(made.steps) + str(made.refused)
    for secret in ("MRN", "Jane", "Doe", "1897", "1.2.777", "Secret", "jane", "JANE"):
        assert secret not in words


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(NotFoundError, match="no file"):
        explain(InspectConfig(file=tmp_path / "none.dcm"))


def test_picture_shows_stored_and_display_values_and_the_box(told):
    made = told(PhotometricInterpretation="MONOCHROME1")
    drawn = picture(made.record)
    assert drawn.shape == (96, 2 * 64 + 8, 3)
    green = (drawn == (0, 200, 0)).all(axis=2)
    assert not green[:, :72].any()
    assert green[:, 72:].any()
    bright = (drawn[..., 0] > 200).mean(axis=0)
    assert bright[60] == 0  # stored: the background is low
    assert bright[72 + 60] > 0.5  # MONOCHROME1: what is low is shown bright
