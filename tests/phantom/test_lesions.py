from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mgray.phantom.config import ExamConfig, LesionWeights, Visibility
from mgray.phantom.geometry import Frame, Shape, build_shape, sample_breast
from mgray.phantom.lesions import (
    BENIGN,
    MALIGNANT,
    Finding,
    add_effects,
    dim,
    lesion_effect,
    place,
    sample_findings,
)
from mgray.phantom.tissue import build_tissue

KEY = (3, 0)
FRAME = Frame(256, 208, 0.5)
BREAST = sample_breast(KEY)
SHAPES = {view: build_shape(BREAST, "L", view, FRAME) for view in ("CC", "MLO")}


def many(config: ExamConfig, exams: int = 400) -> list[Finding]:
    return [f for i in range(exams) for side in "LR" for f in sample_findings((1, i), side, config)]


def finding(kind: str, clock: float = 1.0) -> Finding:
    return Finding("L1", kind, 0.5, 0.4, clock, KEY, True, True)


def test_findings_are_as_frequent_as_asked() -> None:
    found = many(ExamConfig(finding_share=0.3))
    assert len(found) / 800 == pytest.approx(0.3, abs=0.05)


def test_malignant_ones_are_as_frequent_as_asked() -> None:
    found = many(ExamConfig(finding_share=1, malignant_share=0.7))
    assert np.mean([f.malignant for f in found]) == pytest.approx(0.7, abs=0.05)


def test_visibility_shares_are_met() -> None:
    shares = Visibility(both=0.4, ffdm_only=0.3, sm_only=0.2, neither=0.1)
    found = many(ExamConfig(finding_share=1, visibility=shares))
    counts = Counter((f.in_ffdm, f.in_sm) for f in found)
    expected = {(True, True): 0.4, (True, False): 0.3, (False, True): 0.2, (False, False): 0.1}
    for shown, share in expected.items():
        assert counts[shown] / len(found) == pytest.approx(share, abs=0.05)


def test_a_share_of_zero_is_never_drawn() -> None:
    shares = Visibility(both=0.0, ffdm_only=1.0, sm_only=0.0, neither=0.0)
    found = many(ExamConfig(finding_share=1, visibility=shares))
    assert {(f.in_ffdm, f.in_sm) for f in found} == {(True, False)}


def test_lesion_weights_are_relative_within_malignant_and_within_benign() -> None:
    weights = LesionWeights(irregular_mass=0.0, fine_calcifications=3.0, oval_mass=0.0)
    counts = Counter(f.kind for f in many(ExamConfig(finding_share=1, lesions=weights)))
    assert set(counts) == {"spiculated_mass", "fine_calcifications", "coarse_calcifications"}
    assert counts["fine_calcifications"] / counts["spiculated_mass"] == pytest.approx(3, rel=0.4)


def test_visibility_shares_move_neither_place_nor_type() -> None:
    shares = Visibility(both=0.0, neither=1.0)
    one, other = (many(ExamConfig(visibility=v), 50) for v in (Visibility(), shares))
    same = [replace(f, in_ffdm=True, in_sm=True) for f in one]
    assert same == [replace(f, in_ffdm=True, in_sm=True) for f in other]


def test_both_views_agree_on_the_depth_behind_the_nipple() -> None:
    spots = {view: place(finding("oval_mass"), shape) for view, shape in SHAPES.items()}
    depths = [1 - spots[view].x / SHAPES[view].depth_mm for view in SHAPES]
    assert depths[0] == pytest.approx(depths[1], abs=0.12)


@pytest.mark.parametrize("clock", np.linspace(0, 6, 9).tolist())
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_findings_lie_well_under_the_skin(shape: Shape, clock: float) -> None:
    spot = place(finding("oval_mass", clock), shape)
    row, column = int(spot.y / shape.grid_mm), int(spot.x / shape.grid_mm)
    assert shape.distance_mm[row, column] > 9
    assert abs(spot.z) < shape.thickness_mm / 2


@pytest.mark.parametrize("kind", [*MALIGNANT, *BENIGN])
def test_every_type_changes_the_volume_only_near_its_box(kind: str) -> None:
    shape = SHAPES["CC"]
    tissue = build_tissue(BREAST, shape)
    effect = lesion_effect(finding(kind), BREAST, shape, tissue, 1.0)
    assert effect is not None
    change = (add_effects(tissue.excess, [effect]) - tissue.excess).sum(0)
    x0, y0, x1, y1 = (v / shape.grid_mm for v in effect.box_mm)
    middle_x, middle_y, reach = (x0 + x1) / 2, (y0 + y1) / 2, 1.2 * max(x1 - x0, y1 - y0) + 12
    rows, columns = np.nonzero(np.abs(change) > 1e-6)
    assert len(rows) > 0
    assert np.abs(rows - middle_y).max() <= reach
    assert np.abs(columns - middle_x).max() <= reach


def test_contrast_multiplies_the_change() -> None:
    shape = SHAPES["CC"]
    tissue = build_tissue(BREAST, shape)
    one, three = (
        lesion_effect(finding("irregular_mass"), BREAST, shape, tissue, contrast)
        for contrast in (1.0, 3.0)
    )
    assert one is not None
    assert three is not None
    assert three.patches[0].change == pytest.approx(3 * one.patches[0].change, abs=1e-6)


def test_adding_nothing_changes_nothing() -> None:
    tissue = build_tissue(BREAST, SHAPES["CC"])
    assert add_effects(tissue.excess, []) is tissue.excess


def test_a_trace_moves_nothing_and_belongs_to_ffdm_only_findings() -> None:
    one, other = (many(ExamConfig(visibility=Visibility(trace=t)), 50) for t in (0.0, 0.3))
    assert one == [replace(f, trace=0.0) for f in other]
    assert {f.trace for f in other if f.in_ffdm and not f.in_sm} == {0.3}
    assert not any(f.trace for f in other if f.in_sm or not f.in_ffdm)


def test_a_share_of_the_ffdm_only_findings_leaves_a_trace() -> None:
    none, few, more, all_ = (
        many(ExamConfig(visibility=Visibility(trace=0.3, trace_share=share)), 400)
        for share in (0.0, 0.3, 0.6, 1.0)
    )
    counts = [sum(f.trace > 0 for f in found) for found in (none, few, more, all_)]
    assert counts[0] == 0
    assert counts[3] == sum(f.in_ffdm and not f.in_sm for f in all_)
    assert counts[1] == pytest.approx(0.3 * counts[3], rel=0.3)
    for less, larger in ((few, more), (more, all_)):
        assert all(a == b for a, b in zip(less, larger, strict=True) if a.trace)
        assert [replace(f, trace=0.0) for f in less] == [replace(f, trace=0.0) for f in larger]


@pytest.mark.parametrize("kind", ["irregular_mass", "coarse_calcifications"])
def test_a_dimmed_effect_keeps_a_share_of_its_contrast(kind: str) -> None:
    shape = SHAPES["CC"]
    tissue = build_tissue(BREAST, shape)
    whole = lesion_effect(finding(kind), BREAST, shape, tissue, 1.0)
    assert whole is not None
    empty = np.zeros_like(tissue.excess)
    full, half = (add_effects(empty, [dim(whole, share)]) for share in (1.0, 0.5))
    assert np.abs(full).sum() > 0
    assert np.allclose(half, full / 2)
    assert np.array_equal(full, add_effects(empty, [whole]))
