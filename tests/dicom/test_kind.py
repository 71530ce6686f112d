import numpy as np
import pytest
from pydicom import Dataset

from mgray.dicom.kind import check_burned_in, check_modality, image_kind, marked_kind
from mgray.errors import Rejected
from mgray.schema import IMAGE_KINDS

ROOT = "1.2.840.10008.5.1.4.1.1."
MG = {"SOPClassUID": ROOT + "1.2", "Modality": "MG", "PresentationIntentType": "FOR PRESENTATION"}
SC = {"SOPClassUID": ROOT + "7", "Modality": "MG"}

CASES = [
    ({}, "ffdm", "default"),
    ({"ImageType": ["ORIGINAL", "PRIMARY"]}, "ffdm", "image_type:ORIGINAL"),
    ({"ImageType": ["DERIVED", "PRIMARY"]}, "ffdm", "default"),
    (
        {"ImageType": ["ORIGINAL", "PRIMARY", "", "", "", "", "", "150000"]},
        "ffdm",
        "image_type:ORIGINAL",
    ),
    ({"PresentationIntentType": "FOR PROCESSING"}, "ffdm_raw", "presentation_intent_type"),
    ({"SOPClassUID": ROOT + "1.2.1"}, "ffdm_raw", "sop_class"),
    ({"SOPClassUID": ROOT + "13.1.4"}, "dbt_projection", "sop_class"),
    ({"SOPClassUID": ROOT + "13.1.5"}, "dbt_projection", "sop_class"),
    ({"SOPClassUID": ROOT + "13.1.3", "NumberOfFrames": 40}, "dbt", "number_of_frames"),
    ({"SOPClassUID": ROOT + "13.1.3"}, "dbt", "sop_class"),
    (
        {
            "SOPClassUID": ROOT + "13.1.3",
            "ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"],
        },
        "synthetic_2d",
        "image_type:GENERATED_2D",
    ),
    ({"SeriesDescription": "R CC C-View"}, "synthetic_2d", "series_description"),
    ({"SeriesDescription": "L MLO S-View"}, "synthetic_2d", "series_description"),
    ({"SeriesDescription": "V-Preview"}, "synthetic_2d", "series_description"),
    (
        {"ImageType": ["DERIVED", "PRIMARY", "TOMO_2D", "LEFT"]},
        "synthetic_2d",
        "image_type:TOMO_2D",
    ),
    (
        {"ImageType": ["DERIVED", "PRIMARY", "TOMO", "GENERATED_2D"]},
        "synthetic_2d",
        "image_type:GENERATED_2D",
    ),
    ({"ImageType": ["DERIVED", "PRIMARY", "TOMO"]}, "dbt_slice", "image_type:TOMO"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO_PROJ"]}, "dbt_projection", "image_type:TOMO_PROJ"),
    (
        {"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]},
        "unknown",
        "image_type:TOMOSYNTHESIS",
    ),
    (
        {"ImageType": ["DERIVED", "PRIMARY", "POST_CONTRAST", "SUBTRACTION"]},
        "cesm",
        "image_type:POST_CONTRAST",
    ),
    (
        {"ImageType": ["DERIVED", "PRIMARY"], "ManufacturerModelName": "FDR-3000AWS"},
        "synthetic_2d",
        "fuji_model",
    ),
    (
        {"ImageType": ["ORIGINAL", "PRIMARY"], "ManufacturerModelName": "FDR-3000AWS"},
        "ffdm",
        "image_type:ORIGINAL",
    ),
    (SC | {"SeriesDescription": "full mammogram images"}, "film", "series_description"),
    (SC | {"ConversionType": "DF"}, "film", "conversion_type"),
    (SC | {"SeriesDescription": "ROI mask images"}, "sc", "series_description"),
    (SC | {"SeriesDescription": "cropped images"}, "sc", "series_description"),
    (SC, "sc", "sop_class"),
]


def dataset(**attributes):
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(("attributes", "kind", "evidence"), CASES)
def test_kind_and_the_rule_that_fired(attributes, kind, evidence):
    assert image_kind(dataset(**(MG | attributes))) == (kind, evidence)


def test_every_kind_told_is_a_word_of_the_schema():
    assert {kind for _, kind, _ in CASES} <= set(IMAGE_KINDS)


def test_the_source_s_word_goes_first():
    raw = dataset(**MG | {"PresentationIntentType": "FOR PROCESSING"})
    assert image_kind(raw, "synthetic_2d") == ("synthetic_2d", "source")


@pytest.mark.parametrize(
    "attributes",
    [
        MG,
        SC,
        {"SOPClassUID": ROOT + "1.2"},
        {"Modality": "MG"},
        {"SOPClassUID": ROOT + "1", "Modality": "MG"},
    ],
)
def test_mammograms_pass(attributes):
    check_modality(dataset(**attributes))


@pytest.mark.parametrize(
    "attributes",
    [
        {"SOPClassUID": ROOT + "2", "Modality": "CT"},
        {"SOPClassUID": ROOT + "7", "Modality": "OT"},
        {"SOPClassUID": ROOT + "88.50", "Modality": "SR"},
        {"SOPClassUID": ROOT + "88.50", "Modality": "MG"},
        {},
    ],
)
def test_everything_else_is_refused(attributes):
    with pytest.raises(Rejected, match="not a mammogram"):
        check_modality(dataset(**attributes))


def test_kind_survives_odd_image_types():
    for value in ("", "A", ["", "", ""], [""] * 9):
        assert image_kind(dataset(**MG | {"ImageType": value}))[0] == "ffdm"


def test_numbers_as_text_are_read():
    assert image_kind(dataset(**MG | {"NumberOfFrames": str(np.int64(2))}))[0] == "dbt"


@pytest.mark.parametrize(
    ("image_type", "kind"),
    [
        (["ORIGINAL"], "ffdm"),
        (["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"], "synthetic_2d"),
        (["DERIVED", "PRIMARY", "TOMOSYNTHESIS"], None),
        (["DERIVED", "PRIMARY"], None),
    ],
)
def test_header_marks_a_kind_or_none(image_type, kind):
    assert marked_kind(dataset(**MG | {"ImageType": image_type})) == kind


SECOND = ["DERIVED", "SECONDARY"]


@pytest.mark.parametrize(
    ("attributes", "refused"),
    [
        ({"ImageType": SECOND}, True),
        ({"ImageType": SECOND, "BurnedInAnnotation": "NO"}, False),
        ({"ImageType": SECOND, "BurnedInAnnotation": "NO", "SOPClassUID": ROOT + "1.2.1"}, False),
        ({"ImageType": SECOND, "BurnedInAnnotation": "NO", "SOPClassUID": ROOT + "1"}, True),
        ({"ImageType": SECOND, "BurnedInAnnotation": "YES"}, True),
        ({"ImageType": [*SECOND, "SCREEN SAVE"], "BurnedInAnnotation": "NO"}, True),
        (SC | {"BurnedInAnnotation": "NO"}, True),
    ],
)
def test_mammogram_vouches_for_itself_by_declaring_no_burned_in_text(attributes, refused):
    made = dataset(**(MG | attributes))
    if not refused:
        check_burned_in(made, *image_kind(made))
        return
    with pytest.raises(Rejected, match="burned-in"):
        check_burned_in(made, *image_kind(made))
