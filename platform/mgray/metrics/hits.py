"""Which marks hit which lesions: five published rules under one signature.

========== ============================== ===================== ==================
profile    a mark reaches a lesion when   several in reach      second hit
========== ============================== ===================== ==================
dbtex      distance of the centres <      nearest centre among  neither hit nor
           max(half the lesion's          those in reach        false
           diagonal, radius)
mammo_detr the same with <=               nearest centre first, neither
                                          then its radius
tsynth     distance < max(half the        all of them           neither
           **mark's** diagonal, radius)
nndet      IoU >= 0.1, best 100 marks     best free IoU, by     false
                                          falling score
p3         IoU >= 0.2, or centre of the   best IoU              neither
           mark in the lesion's box
========== ============================== ===================== ==================

dbtex is mazurowski-lab/duke-dbt-data and arXiv 2408.08560; mammo_detr nyukat/Mammo-DETR; tsynth
DIDSR/tsynth-release; nndet MIC-DKFZ/nnDetection; p3 Wimmer et al., whose last two columns are this
project's choice and whose code is not public. The first four give what the public codes give on
1,000 made-up sets (tests/metrics/golden).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from mgray.metrics.config import HitConfig, Profile

Boxes = Float[np.ndarray, "_ 4"]
Scores = Float[np.ndarray, " _"]
Hits = Bool[np.ndarray, "_ _"]
MIN_IOU: Final = {"nndet": 0.1, "p3": 0.2}
NNDET_MARKS: Final = 100
DETR_HEIGHT: Final = 2866  # crop height of the data set that the 100 px were chosen on


@dataclass(frozen=True)
class Match:
    """What the marks of one image did.

    Attributes:
        hits: Which mark hits which lesion.
        false: Marks that count as false positives; a mark may be neither.
    """

    hits: Bool[np.ndarray, "mark lesion"]
    false: Bool[np.ndarray, " mark"]


def match(
    lesions: Float[np.ndarray, "lesion 4"],
    marks: Float[np.ndarray, "mark 4"],
    scores: Float[np.ndarray, " mark"],
    config: HitConfig,
    spacing_mm: float | None = None,
) -> Match:
    """Decide which marks of one image are hits and which are false.

    Args:
        lesions: True boxes, ``xyxy``, dicom frame.
        marks: The model's boxes, same frame.
        scores: One per mark; only ``nndet`` looks at them.
        config: The rule.
        spacing_mm: Size of a pixel on the detector; needed for ``min_radius_mm``.
    """
    hits: Hits = np.zeros((len(marks), len(lesions)), bool)
    if hits.size:
        reach = radius_px(config, spacing_mm)
        hits = _RULES[config.profile](lesions, marks, scores, reach, config)
    false = np.logical_not(hits.any(axis=1))
    if config.profile == "nndet":
        false[_by_score(scores)[NNDET_MARKS:]] = False
    return Match(hits, false)


def radius_px(config: HitConfig, spacing_mm: float | None = None) -> float:
    """The smallest radius of a lesion in dicom pixels of one image."""
    if config.min_radius_mm is not None and spacing_mm:
        return config.min_radius_mm / spacing_mm
    if config.profile == "tsynth":
        return config.min_radius_px / config.net_scale
    if config.profile == "mammo_detr":
        return config.min_radius_px * config.net_height / DETR_HEIGHT / config.net_scale
    return config.min_radius_px


def min_iou(config: HitConfig) -> float:
    """The smallest overlap that hits; 0 where the profile looks at distances."""
    return MIN_IOU.get(config.profile, 0.0) if config.min_iou is None else config.min_iou


def rule_text(config: HitConfig) -> str:
    """The rule in one sentence, with its frame, for a report."""
    if config.profile == "nndet":
        return (
            f"nndet: IoU of at least {min_iou(config)}, greedy by score, boxes in the dicom frame"
        )
    if config.profile == "p3":
        return (
            f"p3: IoU of at least {min_iou(config)} or the mark's centre in the finding's box, "
            "dicom frame"
        )
    sign = (
        "<" if config.profile == "tsynth" or (config.profile == "dbtex" and config.strict) else "≤"
    )
    whose = "mark" if config.profile == "tsynth" else "finding"
    radius = f"{radius_px(config):g} px"
    if config.min_radius_mm is not None:
        radius = f"{config.min_radius_mm:g} mm ({radius} where the pixel spacing is unknown)"
    return (
        f"{config.profile}: distance of the centres {sign} max(half the {whose}'s diagonal,"
        f" {radius}), measured in the dicom frame of the image that the boxes are in"
    )


def _dbtex(lesions: Boxes, marks: Boxes, scores: Scores, radius: float, config: HitConfig) -> Hits:
    distance, reach = _distances(lesions, marks), np.maximum(_half_diagonals(lesions), radius)
    near = distance < reach if config.strict else distance <= reach
    hits: Hits = near & _one_hot(np.where(near, distance, np.inf).argmin(axis=1), len(lesions))
    return hits


def _mammo_detr(
    lesions: Boxes, marks: Boxes, scores: Scores, radius: float, config: HitConfig
) -> Hits:
    distance, reach = _distances(lesions, marks), np.maximum(_half_diagonals(lesions), radius)
    hits: Hits = (distance <= reach) & _one_hot(distance.argmin(axis=1), len(lesions))
    return hits


def _tsynth(lesions: Boxes, marks: Boxes, scores: Scores, radius: float, config: HitConfig) -> Hits:
    hits: Hits = _distances(lesions, marks) < np.maximum(_half_diagonals(marks), radius)[:, None]
    return hits


def _nndet(lesions: Boxes, marks: Boxes, scores: Scores, radius: float, config: HitConfig) -> Hits:
    overlap = _iou(lesions, marks)
    hits, free = np.zeros(overlap.shape, bool), np.ones(len(lesions), bool)
    for mark in _by_score(scores)[:NNDET_MARKS]:
        best = _last_max(np.where(free, overlap[mark], -1.0))
        if free[best] and overlap[mark, best] >= min_iou(config):
            hits[mark, best], free[best] = True, False
    return hits


def _p3(lesions: Boxes, marks: Boxes, scores: Scores, radius: float, config: HitConfig) -> Hits:
    centre, overlap = _centres(marks)[:, None], _iou(lesions, marks)
    inside = ((centre >= lesions[None, :, :2]) & (centre < lesions[None, :, 2:])).all(axis=2)
    near = (overlap >= min_iou(config)) | inside
    hits: Hits = near & _one_hot(np.where(near, overlap, -1.0).argmax(axis=1), len(lesions))
    return hits


_RULES: Final[dict[Profile, Callable[..., Hits]]] = {
    "dbtex": _dbtex,
    "mammo_detr": _mammo_detr,
    "tsynth": _tsynth,
    "nndet": _nndet,
    "p3": _p3,
}


def _centres(boxes: Boxes) -> Float[np.ndarray, "_ 2"]:
    centres: Float[np.ndarray, "_ 2"] = (boxes[:, :2] + boxes[:, 2:]) / 2
    return centres


def _half_diagonals(boxes: Boxes) -> Scores:
    return _length(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / 2


def _distances(lesions: Boxes, marks: Boxes) -> Float[np.ndarray, "_ _"]:
    offset = _centres(marks)[:, None] - _centres(lesions)[None]
    return _length(offset[..., 0], offset[..., 1])


def _length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unlike ``hypot``, equal for equal sums of squares, so that a mark on the radius is on it."""
    length: np.ndarray = np.sqrt(x * x + y * y)
    return length


def _iou(lesions: Boxes, marks: Boxes) -> Float[np.ndarray, "_ _"]:
    low = np.maximum(marks[:, None, :2], lesions[None, :, :2])
    high = np.minimum(marks[:, None, 2:], lesions[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = _areas(marks)[:, None] + _areas(lesions)[None] - shared
    ratio: Float[np.ndarray, "_ _"] = np.divide(
        shared, union, out=np.zeros_like(shared), where=union > 0
    )
    return ratio


def _areas(boxes: Boxes) -> Scores:
    areas: Scores = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _one_hot(index: np.ndarray, width: int) -> Hits:
    picked: Hits = index[:, None] == np.arange(width)[None]
    return picked


def _last_max(values: np.ndarray) -> int:
    return len(values) - 1 - int(values[::-1].argmax())


def _by_score(scores: Scores) -> np.ndarray:
    return np.argsort(-scores, kind="stable")
