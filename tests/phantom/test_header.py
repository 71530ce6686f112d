from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from mgray.phantom.config import ExamConfig
from mgray.phantom.exam import Exam, make_exam
from mgray.phantom.header import build_header, uid

SMALL = ExamConfig(seed=4, height=256, width=208, pixel_mm=0.5, finding_share=1, malignant_share=1)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return make_exam(SMALL, 0)


def headers(exam: Exam) -> list[Dataset]:
    return [build_header(exam, picture) for picture in exam.pictures]


def test_synthetic_images_are_marked_generated_2d(exam: Exam) -> None:
    ffdm, sm = headers(exam)[:2]
    assert list(sm.ImageType) == ["DERIVED", "PRIMARY", "", "GENERATED_2D"]
    assert list(ffdm.ImageType) == ["ORIGINAL", "PRIMARY", ""]


def test_both_kinds_are_mammograms_for_presentation(exam: Exam) -> None:
    for header in headers(exam):
        assert header.SOPClassUID.name == (
            "Digital Mammography X-Ray Image Storage - For Presentation"
        )
        assert header.PresentationIntentType == "FOR PRESENTATION"


def test_uids_are_uuid_derived_and_unique(exam: Exam) -> None:
    found = headers(exam)
    uids = [header.SOPInstanceUID for header in found]
    assert len(set(uids)) == 8
    assert all(u.startswith("2.25.") and u.is_valid and len(u) <= 64 for u in uids)
    assert len({header.StudyInstanceUID for header in found}) == 1
    assert len({header.SeriesInstanceUID for header in found}) == 2


def test_uids_depend_on_seed_and_exam_number() -> None:
    assert uid((1, 2), "study") == uid((1, 2), "study")
    assert len({uid((1, 2), "study"), uid((1, 3), "study"), uid((2, 2), "study")}) == 3
    assert uid((1, 12), "study") != uid((11, 2), "study")


def test_orientation_follows_side_and_view(exam: Exam) -> None:
    found = {(h.ImageLaterality, h.ViewPosition): list(h.PatientOrientation) for h in headers(exam)}
    assert found == {
        ("L", "CC"): ["A", "R"],
        ("L", "MLO"): ["A", "FR"],
        ("R", "CC"): ["P", "L"],
        ("R", "MLO"): ["P", "FL"],
    }


def test_spacing_covers_the_same_field_in_both_kinds(exam: Exam) -> None:
    fields = {round(h.Rows * float(h.ImagerPixelSpacing[0])) for h in headers(exam)}
    assert fields == {128}


def test_a_header_is_the_same_with_and_without_findings(exam: Exam) -> None:
    for picture, header in zip(exam.pictures, headers(exam), strict=True):
        assert picture.truths
        assert build_header(exam, replace(picture, truths=())) == header


def test_no_lesion_word_stands_in_a_header(exam: Exam) -> None:
    for header in headers(exam):
        text = str(header).lower()
        assert not any(word in text for word in ("malig", "benign", "mass", "calc", "spic"))
