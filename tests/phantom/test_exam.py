from dataclasses import replace

import numpy as np
import pytest

from mgray.phantom.config import ExamConfig
from mgray.phantom.exam import Exam, make_exam, make_view
from mgray.phantom.geometry import sample_breast
from mgray.phantom.lesions import Finding, sample_findings

SMALL = ExamConfig(seed=7, height=256, width=208, pixel_mm=0.5, finding_share=1)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return make_exam(SMALL, 0)


def mass(**changes: object) -> Finding:
    key = (SMALL.seed, 0)
    finding = sample_findings(key, "L", SMALL)[0]
    return replace(finding, kind="irregular_mass", **changes)


def pixels(findings: list[Finding], config: ExamConfig = SMALL) -> dict[str, np.ndarray]:
    breast = sample_breast((config.seed, 0))
    return {p.kind: p.pixels for p in make_view(config, breast, ("L", "CC"), findings)}


def test_exam_holds_four_views_of_two_kinds(exam: Exam) -> None:
    found = {(p.laterality, p.view, p.kind) for p in exam.pictures}
    assert len(exam.pictures) == len(found) == 8


def test_exam_is_the_same_every_time(exam: Exam) -> None:
    again = make_exam(SMALL, 0)
    assert all(
        np.array_equal(a.pixels, b.pixels)
        for a, b in zip(exam.pictures, again.pictures, strict=True)
    )


def test_exams_differ_by_number_and_by_seed(exam: Exam) -> None:
    others = [make_exam(SMALL, 1), make_exam(SMALL.model_copy(update={"seed": 8}), 0)]
    for other in others:
        assert not np.array_equal(exam.pictures[0].pixels, other.pictures[0].pixels)


def test_pixels_fill_their_bits_and_the_background_is_zero(exam: Exam) -> None:
    for picture in exam.pictures:
        assert picture.pixels.max() < 2**picture.bits
        assert picture.pixels.max() > 2 ** (picture.bits - 1)
        far = picture.pixels[:, -1] if picture.laterality == "L" else picture.pixels[:, 0]
        assert not far.any()


def test_breast_touches_the_chest_wall_of_its_side(exam: Exam) -> None:
    for picture in exam.pictures:
        near = picture.pixels[:, 0] if picture.laterality == "L" else picture.pixels[:, -1]
        assert (near > 0).mean() > 0.5


def test_synthetic_image_is_smaller_and_covers_the_same_field(exam: Exam) -> None:
    ffdm, sm = exam.pictures[:2]
    assert sm.pixels.shape == (154, 125)
    field = ffdm.pixels.shape[0] * ffdm.pixel_mm
    assert sm.pixels.shape[0] * sm.pixel_mm == pytest.approx(field)


def test_synthetic_image_can_have_the_size_of_the_ffdm() -> None:
    ffdm, sm = make_exam(SMALL.model_copy(update={"synthetic_scale": 1.0}), 0).pictures[:2]
    assert sm.pixels.shape == ffdm.pixels.shape


def test_both_images_of_a_view_show_the_same_breast(exam: Exam) -> None:
    for ffdm, sm in zip(exam.pictures[::2], exam.pictures[1::2], strict=True):
        shares = [(p.pixels > 0).mean() for p in (ffdm, sm)]
        assert shares[0] == pytest.approx(shares[1], abs=0.01)


def test_boxes_lie_inside_their_image_and_scale_with_it(exam: Exam) -> None:
    for ffdm, sm in zip(exam.pictures[::2], exam.pictures[1::2], strict=True):
        assert len(ffdm.truths) == len(sm.truths) == 1
        x0, y0, x1, y1 = box = np.array(ffdm.truths[0].box)
        assert 0 <= x0 < x1 <= 208
        assert 0 <= y0 < y1 <= 256
        assert np.array(sm.truths[0].box) == pytest.approx(box * 0.6, rel=0.01, abs=0.5)


@pytest.mark.parametrize(
    ("in_ffdm", "in_sm"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_a_hidden_finding_leaves_its_image_bit_identical(in_ffdm: bool, in_sm: bool) -> None:
    healthy, sick = pixels([]), pixels([mass(in_ffdm=in_ffdm, in_sm=in_sm)])
    assert np.array_equal(healthy["ffdm"], sick["ffdm"]) is not in_ffdm
    assert np.array_equal(healthy["synthetic_2d"], sick["synthetic_2d"]) is not in_sm


@pytest.mark.parametrize("kind", ["spiculated_mass", "irregular_mass", "oval_mass"])
def test_a_visible_mass_brightens_its_box_in_both_images(kind: str) -> None:
    finding = replace(mass(in_ffdm=True, in_sm=True), kind=kind)
    breast = sample_breast((SMALL.seed, 0))
    sick, well = (make_view(SMALL, breast, ("L", "CC"), f) for f in ([finding], []))
    for a, b in zip(sick, well, strict=True):
        x0, y0, x1, y1 = (round(v) for v in a.truths[0].box)
        inside = np.s_[y0:y1, x0:x1]
        gain = a.pixels[inside].mean() - b.pixels[inside].mean()
        assert gain > 0.01 * 2**a.bits


def test_contrast_scales_a_lesion() -> None:
    finding = mass(in_ffdm=True, in_sm=True)
    healthy = pixels([])["ffdm"].astype(float)
    weak, strong = (
        np.abs(pixels([finding], SMALL.model_copy(update={"contrast": c}))["ffdm"] - healthy).sum()
        for c in (0.5, 2.0)
    )
    assert strong > 1.5 * weak


def test_visible_is_recorded_per_image() -> None:
    breast = sample_breast((SMALL.seed, 0))
    ffdm, sm = make_view(SMALL, breast, ("L", "CC"), [mass(in_ffdm=True, in_sm=False)])
    assert (ffdm.truths[0].visible, sm.truths[0].visible) == (True, False)


def test_cancer_follows_malignancy_and_not_visibility() -> None:
    breast = sample_breast((SMALL.seed, 0))
    hidden = mass(in_ffdm=False, in_sm=False)
    benign = replace(hidden, kind="oval_mass", in_ffdm=True)
    assert make_view(SMALL, breast, ("L", "CC"), [hidden])[0].cancer
    assert not make_view(SMALL, breast, ("L", "CC"), [benign])[0].cancer


def test_truth_of_the_right_breast_is_mirrored() -> None:
    for number in range(3):
        exam = make_exam(SMALL, number)
        for picture in exam.pictures:
            for truth in picture.truths:
                x0, y0, x1, y1 = (int(v) for v in truth.box)
                assert (picture.pixels[y0 : y1 + 1, x0 : x1 + 1] > 0).mean() > 0.95


def test_a_trace_leaves_ffdm_as_it_is_and_shows_fainter_in_sm() -> None:
    healthy, whole = pixels([]), pixels([mass(in_ffdm=True, in_sm=True)])
    traces = {t: pixels([mass(in_ffdm=True, in_sm=False, trace=t)]) for t in (0.0, 0.3, 1.0)}
    change = {
        t: np.abs(seen["synthetic_2d"].astype(float) - healthy["synthetic_2d"]).sum()
        for t, seen in traces.items()
    }
    assert all(np.array_equal(seen["ffdm"], whole["ffdm"]) for seen in traces.values())
    assert 0 == change[0.0] < change[0.3] < 0.6 * change[1.0]
    assert np.array_equal(traces[1.0]["synthetic_2d"], whole["synthetic_2d"])


def test_a_trace_below_zero_leaves_a_shadow() -> None:
    finding = mass(in_ffdm=True, in_sm=False, trace=-0.3)
    breast = sample_breast((SMALL.seed, 0))
    sick, well = (make_view(SMALL, breast, ("L", "CC"), f)[1] for f in ([finding], []))
    x0, y0, x1, y1 = (round(v) for v in sick.truths[0].box)
    change = sick.pixels[y0:y1, x0:x1].mean() - well.pixels[y0:y1, x0:x1].mean()
    assert change < -0.003 * 2**sick.bits
    assert np.array_equal(pixels([finding])["ffdm"], pixels([replace(finding, trace=0.0)])["ffdm"])
