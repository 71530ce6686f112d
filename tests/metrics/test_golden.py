"""Ours against what the public codes said; see golden/README.md."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mgray.metrics.config import HitConfig
from mgray.metrics.froc import froc, sensitivity_at
from mgray.metrics.hits import match
from mgray.metrics.outcomes import ImageMarks, Outcomes, score_images, select
from tests.metrics.fuzzed import FINGERPRINT, SETS, fingerprint, made_set

FILE = Path(__file__).parent / "golden" / "public.npz"


@cache
def sets() -> list[list[ImageMarks]]:
    return [made_set(seed) for seed in range(SETS)]


def golden(name: str) -> np.ndarray:
    with np.load(FILE) as held:
        return held[name]


def outcomes(config: HitConfig) -> list[Outcomes]:
    return [score_images(images, config) for images in sets()]


def test_the_sets_are_those_that_the_public_codes_saw() -> None:
    assert fingerprint() == FINGERPRINT


def test_sensitivities_are_those_of_the_dbtex_challenge() -> None:
    found = []
    for every in outcomes(HitConfig(profile="dbtex", strict=False)):
        positive = select(every, every.positive)
        at_two = sensitivity_at(froc(every, "dbtex_interp"), np.array([2.0]))
        plus = sensitivity_at(froc(positive, "dbtex_interp"), np.array([1.0, 2, 3, 4]))
        found.append(np.r_[at_two, plus, plus.mean()])
    np.testing.assert_allclose(found, golden("dbtex"), atol=1e-12)


def test_marks_hit_the_lesions_that_mammo_detr_says() -> None:
    found: list[int] = []
    on_radius: list[bool] = []
    for seed, images in enumerate(sets()):
        height, scale = (1024, 2048, 4096)[seed % 3], (1.0, 0.5)[seed % 2]
        config = HitConfig(profile="mammo_detr", net_height=height, net_scale=scale)
        for image in images:
            if len(image.lesions) and len(image.boxes):
                hits = match(image.lesions, image.boxes, image.scores, config).hits
                found += np.where(hits.any(axis=1), hits.argmax(axis=1), -1).tolist()
                on_radius += nearest_is_on_its_radius(image).tolist()
    differs = np.array(found) != golden("mammo_detr")
    assert not differs[~np.array(on_radius)].any()
    assert differs.sum() == 1  # it rounds the radius of 141.42 px to single precision


def nearest_is_on_its_radius(image: ImageMarks) -> np.ndarray:
    """Whether each mark lies exactly half a diagonal from the nearest lesion, in whole numbers."""
    offset = np.abs(
        (image.boxes[:, None, :2] + image.boxes[:, None, 2:])
        - (image.lesions[None, :, :2] + image.lesions[None, :, 2:])
    )
    distances = (offset**2).sum(axis=2)
    squares = ((image.lesions[:, 2:] - image.lesions[:, :2]) ** 2).sum(axis=1)
    nearest = distances.argmin(axis=1)
    return distances[np.arange(len(nearest)), nearest] == squares[nearest]


def test_counts_at_fifty_thresholds_are_those_of_tsynth() -> None:
    thresholds = np.linspace(0, 1, 50)
    found = [
        [
            (scores[:, None] > thresholds).sum(axis=0)
            for scores in (one.lesion_scores, one.false_scores)
        ]
        for one in outcomes(HitConfig(profile="tsynth"))
    ]
    np.testing.assert_array_equal(found, golden("tsynth"))


@pytest.mark.parametrize(("number", "iou"), [(0, 0.1), (1, 0.5)])
def test_sensitivities_are_those_of_nndetection(number: int, iou: float) -> None:
    grid = 2.0 ** np.arange(-3, 4)
    config = HitConfig(profile="nndet", min_iou=iou)
    found = [sensitivity_at(froc(each), grid) for each in outcomes(config)]
    expected = np.nan_to_num(golden("nndet")[:, number])  # it has no number where nothing is hit
    np.testing.assert_allclose(found, expected, atol=1e-12)
