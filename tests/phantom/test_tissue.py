from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mgray.phantom.geometry import COMPOSITIONS, Breast, Frame, build_shape, sample_breast
from mgray.phantom.tissue import FAT, SKIN, SKIN_MM, build_tissue

FRAME = Frame(512, 416, 0.28)


def breast(density: str, number: int = 0) -> Breast:
    kind = COMPOSITIONS[density]
    return replace(
        sample_breast((5, number)),
        density=density,
        gland_fraction=kind.gland[0],
        thickness_mm=kind.thickness_mm[0],
        fat_layer_mm=kind.fat_layer_mm,
    )


@pytest.mark.parametrize("density", "abcd")
def test_gland_fraction_meets_its_target_with_ligaments(density: str) -> None:
    patient = breast(density)
    shape = build_shape(patient, "L", "CC", FRAME)
    inner = shape.filling > 0.5
    found = float(build_tissue(patient, shape).gland[inner].mean())
    assert found == pytest.approx(patient.gland_fraction, abs=0.02)


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_projected_anatomy_has_the_spectrum_of_mammograms(view: str) -> None:
    """Chen 2012 (PMC3298563): 3.17 in CC, 3.30 in MLO."""
    slopes = []
    for number in range(6):
        patient = breast("c", number)
        shape = build_shape(patient, "L", view, FRAME)
        tissue = build_tissue(patient, shape)
        row, column = int(shape.nipple_y_mm / shape.grid_mm), int(30 / shape.grid_mm)
        line = (tissue.excess.sum(0) + tissue.fat)[row - 48 : row + 48, column : column + 96]
        slopes.append(_slope(line, shape.grid_mm))
    assert np.mean(slopes) == pytest.approx(3.15, abs=0.35)


def test_a_fatty_breast_transmits_more_than_a_dense_one_of_equal_thickness() -> None:
    lines = []
    for density in "ad":
        patient = replace(breast(density), thickness_mm=50.0)
        tissue = build_tissue(patient, build_shape(patient, "L", "CC", FRAME))
        lines.append(float((tissue.excess.sum(0) + tissue.fat).max()))
    assert lines[0] < lines[1]


def test_both_faces_carry_skin() -> None:
    patient = breast("a")
    shape = build_shape(patient, "L", "CC", FRAME)
    excess = build_tissue(patient, shape).excess
    faces = (SKIN - FAT) * SKIN_MM
    assert excess[0][shape.inside].min() >= faces * 0.99
    assert excess[-1][shape.inside].min() >= faces * 0.99


def test_nothing_absorbs_outside_the_breast() -> None:
    patient = breast("b")
    shape = build_shape(patient, "L", "MLO", FRAME)
    tissue = build_tissue(patient, shape)
    assert not tissue.excess[:, ~shape.inside & (shape.height_mm == 0)].max() > 1e-3


def test_left_and_right_tissue_are_alike_but_not_equal() -> None:
    patient = breast("c")
    left, right = (
        build_tissue(patient, build_shape(patient, side, "CC", FRAME)).gland.sum(0)[60:200, 40:160]
        for side in "LR"
    )
    assert 0.3 < np.corrcoef(left.ravel(), right.ravel())[0, 1] < 0.95


def _slope(patch: np.ndarray, pixel_mm: float) -> float:
    window = np.hanning(patch.shape[0])[:, None] * np.hanning(patch.shape[1])[None]
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window)) ** 2
    f = np.hypot(
        np.fft.fftfreq(patch.shape[0], pixel_mm)[:, None],
        np.fft.fftfreq(patch.shape[1], pixel_mm)[None],
    )
    edges = np.geomspace(0.15, 0.7, 9)
    bins = [power[(f >= a) & (f < b)].mean() for a, b in pairwise(edges)]
    return -float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(bins), 1)[0])
