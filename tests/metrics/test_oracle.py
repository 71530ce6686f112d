"""All rules and the whole curve again, mark by mark in plain Python."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgray.metrics.config import HitConfig, Profile
from mgray.metrics.froc import froc
from mgray.metrics.outcomes import ImageMarks, by_image, score_images, select
from tests.metrics.fuzzed import made_set

Box = list[float]
Found = tuple[list[float], list[float]]  # best score of each lesion; score of each false positive


def centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def distance(one: Box, other: Box) -> float:
    (x0, y0), (x1, y1) = centre(one), centre(other)
    return math.sqrt((x0 - x1) ** 2 + (y0 - y1) ** 2)


def half_diagonal(box: Box) -> float:
    return math.sqrt((box[2] - box[0]) ** 2 + (box[3] - box[1]) ** 2) / 2


def iou(one: Box, other: Box) -> float:
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def dbtex(mark: Box, lesions: list[Box]) -> list[int]:
    near = [n for n, b in enumerate(lesions) if distance(mark, b) < max(half_diagonal(b), 100)]
    return [min(near, key=lambda n: distance(mark, lesions[n]))] if near else []


def mammo_detr(mark: Box, lesions: list[Box]) -> list[int]:
    if not lesions:
        return []
    first = min(range(len(lesions)), key=lambda n: distance(mark, lesions[n]))
    reach = max(half_diagonal(lesions[first]), 100)
    return [first] if distance(mark, lesions[first]) <= reach else []


def tsynth(mark: Box, lesions: list[Box]) -> list[int]:
    reach = max(half_diagonal(mark), 100)
    return [n for n, box in enumerate(lesions) if distance(mark, box) < reach]


def p3(mark: Box, lesions: list[Box]) -> list[int]:
    x, y = centre(mark)
    inside = [box[0] <= x < box[2] and box[1] <= y < box[3] for box in lesions]
    near = [n for n, box in enumerate(lesions) if iou(mark, box) >= 0.2 or inside[n]]
    return [max(near, key=lambda n: iou(mark, lesions[n]))] if near else []


def one_by_one(rule: Callable[[Box, list[Box]], list[int]]) -> Callable[[ImageMarks], Found]:
    """Each mark on its own: a second hit is neither hit nor false."""

    def find(image: ImageMarks) -> Found:
        best, false = [-math.inf] * len(image.lesions), []
        for box, score in zip(image.boxes.tolist(), image.scores.tolist(), strict=True):
            hits = rule(box, image.lesions.tolist())
            for lesion in hits:
                best[lesion] = max(best[lesion], score)
            if not hits:
                false.append(score)
        return best, false

    return find


def nndet(image: ImageMarks) -> Found:
    """The best hundred by falling score, each takes the best lesion that is still free."""
    lesions = image.lesions.tolist()
    best, false = [-math.inf] * len(lesions), []
    order = sorted(range(len(image.scores)), key=lambda n: -image.scores[n])[:100]
    for number in order:
        box, score = image.boxes[number].tolist(), float(image.scores[number])
        free = [n for n in range(len(lesions)) if best[n] == -math.inf]
        free = [n for n in free if iou(box, lesions[n]) >= 0.1]
        if free:
            best[max(free, key=lambda n: (iou(box, lesions[n]), n))] = score
        else:
            false.append(score)
    return best, false


RULES: dict[Profile, Callable[[ImageMarks], Found]] = {
    "dbtex": one_by_one(dbtex),
    "mammo_detr": one_by_one(mammo_detr),
    "tsynth": one_by_one(tsynth),
    "nndet": nndet,
    "p3": one_by_one(p3),
}


@pytest.mark.parametrize("profile", list(RULES))
@settings(max_examples=40)
@given(seed=st.integers(10_000, 10_000_000))
def test_curves_are_those_of_plain_counting(profile: Profile, seed: int) -> None:
    images = made_set(seed)
    ours = score_images(images, HitConfig(profile=profile))
    parts = [RULES[profile](image) for image in images]
    lesions = [score for best, _ in parts for score in best]
    false = [score for _, wrong in parts for score in wrong]
    np.testing.assert_array_equal(ours.lesion_scores, lesions)
    np.testing.assert_array_equal(np.sort(ours.false_scores), np.sort(false))
    curve = froc(ours)
    for threshold, fppi, sensitivity in zip(
        curve.thresholds[1:], curve.fppi[1:], curve.sensitivity[1:], strict=True
    ):
        assert fppi == pytest.approx(sum(s >= threshold for s in false) / len(images))
        assert sensitivity == pytest.approx(sum(s >= threshold for s in lesions) / len(lesions))


@settings(max_examples=40)
@given(seed=st.integers(10_000, 10_000_000))
def test_image_level_and_positives_only_are_those_of_plain_counting(seed: int) -> None:
    images = made_set(seed)
    found = by_image(score_images(images, HitConfig()))
    plus = select(found, found.positive)
    held = [RULES["dbtex"](image) for image in images if len(image.lesions)]
    assert plus.images == len(held)
    assert plus.lesion_scores.tolist() == [max(best) for best, _ in held]
    assert plus.false_scores.tolist() == [score for _, wrong in held for score in wrong]
