"""A thousand made-up test sets, the same everywhere, in which ties and near misses are common.

Values that public codes give on them are in ``golden/``. Only ``random.Random.random`` is used,
whose sequence Python promises not to change; ``FINGERPRINT`` says so if anything else did.
"""

import hashlib
import json
from random import Random

import numpy as np

from mgray.metrics.outcomes import ImageMarks

SETS = 1000
SIZES = ((20, 20), (40, 60), (60, 80), (180, 240), (240, 180), (300, 400), (200, 200))
OFFSETS = (
    (0, 0),
    (0, 0),
    (10, 0),
    (20, -20),
    (60, 80),
    (80, -60),
    (-100, 0),
    (0, 100),
    (90, 120),
    (150, 200),
    (30, -40),
    (101, 0),
)
FINGERPRINT = "507746dd4a5820b2"


def made_set(seed: int) -> list[ImageMarks]:
    """One to six images with at least one lesion and one mark among them."""
    rng = Random(seed)
    images = [_image(rng, seed, number) for number in range(1 + _below(rng, 6))]
    if not any(len(image.lesions) for image in images):
        images[0] = _image(rng, seed, 0, lesions=1)
    if not any(len(image.boxes) for image in images):
        images[0] = _image(rng, seed, 0, lesions=len(images[0].lesions), marks=1)
    return images


def fingerprint() -> str:
    """Of all sets."""
    rows = [
        [image.lesions.tolist(), image.boxes.tolist(), image.scores.tolist()]
        for seed in range(SETS)
        for image in made_set(seed)
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _image(
    rng: Random, seed: int, number: int, lesions: int | None = None, marks: int | None = None
) -> ImageMarks:
    lesions = max(0, _below(rng, 6) - 2) if lesions is None else lesions
    crowded = seed % 100 == 0 and number == 0
    marks = (110 if crowded else _below(rng, 13)) if marks is None else marks
    truth = [_box(_anywhere(rng), _size(rng)) for _ in range(lesions)]
    boxes = [_mark(rng, truth) for _ in range(marks)]
    scores = [_score(rng, seed) for _ in range(marks)]
    return ImageMarks(
        np.array(truth, float).reshape(-1, 4),
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float),
    )


def _box(centre: tuple[int, int], size: tuple[int, int]) -> list[float]:
    x, y = centre[0] - size[0] // 2, centre[1] - size[1] // 2
    return [float(x), float(y), float(x + size[0]), float(y + size[1])]


def _mark(rng: Random, truth: list[list[float]]) -> list[float]:
    """Often at a whole distance from a lesion, so that some lie on its radius exactly."""
    if not truth or rng.random() < 0.3:
        return _box(_anywhere(rng), _size(rng))
    x0, y0, x1, y1 = truth[_below(rng, len(truth))]
    dx, dy = OFFSETS[_below(rng, len(OFFSETS))]
    same = rng.random() < 0.5
    centre = (int(x0 + x1) // 2 + dx, int(y0 + y1) // 2 + dy)
    return _box(centre, (int(x1 - x0), int(y1 - y0)) if same else _size(rng))


def _anywhere(rng: Random) -> tuple[int, int]:
    return 300 + 10 * _below(rng, 50), 300 + 10 * _below(rng, 100)


def _size(rng: Random) -> tuple[int, int]:
    return SIZES[_below(rng, len(SIZES))]


def _score(rng: Random, seed: int) -> float:
    """Of few values; in every second set those of 50 equally spaced thresholds."""
    step = 49 if seed % 2 else 64
    return _below(rng, step + 1) / step


def _below(rng: Random, stop: int) -> int:
    return int(rng.random() * stop)
