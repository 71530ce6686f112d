"""What a FROC curve needs to know of one model on a list of images, and nothing else.

Marks and lesions in, two lists of scores out: for each lesion the best mark that hits it, for each
false positive its score. Curves, areas, bootstrap and per-case tables are all made from these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from mgray.metrics.config import HitConfig
from mgray.metrics.hits import match


@dataclass(frozen=True)
class ImageMarks:
    """Truth and marks of one image, both in its dicom frame.

    Attributes:
        lesions: True boxes, ``xyxy``.
        boxes: The model's boxes, ``xyxy``.
        scores: One per box.
        spacing_mm: Size of a pixel on the detector, if known.
    """

    lesions: Float[np.ndarray, "lesion 4"]
    boxes: Float[np.ndarray, "mark 4"]
    scores: Float[np.ndarray, " mark"]
    spacing_mm: float | None = None


@dataclass(frozen=True)
class Outcomes:
    """Scores at which lesions are found and false positives appear.

    Attributes:
        lesion_scores: Best score of a mark that hits the lesion; ``-inf`` where none does.
        lesion_images: Number of the lesion's image.
        false_scores: One per false positive.
        false_images: Number of its image.
        images: How many images there are.
        repeat_scores: One per mark that hits but is on no lesion the best: neither hit nor false.
            Only ``dbtex_interp`` looks at them.
        repeat_images: Number of its image.
    """

    lesion_scores: Float[np.ndarray, " lesion"]
    lesion_images: Int[np.ndarray, " lesion"]
    false_scores: Float[np.ndarray, " mark"]
    false_images: Int[np.ndarray, " mark"]
    images: int
    repeat_scores: Float[np.ndarray, " repeat"] = field(default_factory=lambda: np.zeros(0))
    repeat_images: Int[np.ndarray, " repeat"] = field(default_factory=lambda: np.zeros(0, int))

    @property
    def positive(self) -> Bool[np.ndarray, " image"]:
        """Images with at least one lesion."""
        return np.bincount(self.lesion_images, minlength=self.images) > 0


def score_images(images: Sequence[ImageMarks], config: HitConfig) -> Outcomes:
    """Match every image's marks with its lesions."""
    lesions, false, repeats = [], [], []
    for image in images:
        found = match(image.lesions, image.boxes, image.scores, config, image.spacing_mm)
        scores = np.where(found.hits, image.scores[:, None], -np.inf)
        best = scores.max(axis=0, initial=-np.inf)
        again = found.hits.any(axis=1) & ~(found.hits & (scores == best)).any(axis=1)
        lesions.append(best)
        false.append(image.scores[found.false])
        repeats.append(image.scores[again])
    return Outcomes(*_numbered(lesions), *_numbered(false), len(images), *_numbered(repeats))


def score_classes(
    images: Sequence[ImageMarks],
    lesion_classes: Sequence[Sequence[str]],
    mark_classes: Sequence[Sequence[str]],
    config: HitConfig,
) -> dict[str, Outcomes]:
    """Match class by class: a mark of another class is no hit on a lesion (P3-A10, nnDetection).

    Args:
        images: Lesions and marks of all classes.
        lesion_classes: For each image the class of each lesion.
        mark_classes: For each image the class of each mark.
        config: The rule.
    """
    sides = (lesion_classes, mark_classes)
    names = sorted({name for side in sides for words in side for name in words})
    return {
        name: score_images(
            [_of_class(image, name, *words) for image, *words in zip(images, *sides, strict=True)],
            config,
        )
        for name in names
    }


def select(outcomes: Outcomes, keep: Bool[np.ndarray, " image"]) -> Outcomes:
    """Only the images in ``keep``, numbered anew in their order."""
    number = np.cumsum(keep) - 1

    def kept(scores: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = keep[images]
        return scores[chosen], number[images[chosen]]

    return Outcomes(
        *kept(outcomes.lesion_scores, outcomes.lesion_images),
        *kept(outcomes.false_scores, outcomes.false_images),
        int(keep.sum()),
        *kept(outcomes.repeat_scores, outcomes.repeat_images),
    )


def select_lesions(outcomes: Outcomes, keep: Bool[np.ndarray, " lesion"]) -> Outcomes:
    """Only the lesions in ``keep``, on all images; a mark on another is neither hit nor false."""
    others = ~keep & (outcomes.lesion_scores > -np.inf)
    return replace(
        outcomes,
        lesion_scores=outcomes.lesion_scores[keep],
        lesion_images=outcomes.lesion_images[keep],
        repeat_scores=np.r_[outcomes.repeat_scores, outcomes.lesion_scores[others]],
        repeat_images=np.r_[outcomes.repeat_images, outcomes.lesion_images[others]],
    )


def by_image(outcomes: Outcomes) -> Outcomes:
    """One lesion per positive image: the image is found when any of its lesions is."""
    positive = np.flatnonzero(outcomes.positive)
    best = np.full(outcomes.images, -np.inf)
    np.maximum.at(best, outcomes.lesion_images, outcomes.lesion_scores)
    hit = outcomes.lesion_scores > -np.inf
    return replace(
        outcomes,
        lesion_scores=best[positive],
        lesion_images=positive,
        repeat_scores=np.r_[outcomes.repeat_scores, outcomes.lesion_scores[hit]],
        repeat_images=np.r_[outcomes.repeat_images, outcomes.lesion_images[hit]],
    )


def images_hit(outcomes: Outcomes, threshold: float) -> Bool[np.ndarray, " image"]:
    """Images in which at least one lesion is found by a mark of ``threshold`` or more."""
    found = outcomes.lesion_scores >= threshold
    return np.bincount(outcomes.lesion_images[found], minlength=outcomes.images) > 0


def false_marks(outcomes: Outcomes, threshold: float) -> Int[np.ndarray, " image"]:
    """False positives of ``threshold`` or more in each image."""
    kept = outcomes.false_images[outcomes.false_scores >= threshold]
    return np.bincount(kept, minlength=outcomes.images)


def _of_class(
    image: ImageMarks, name: str, lesions: Sequence[str], marks: Sequence[str]
) -> ImageMarks:
    true = np.array([each == name for each in lesions], bool)
    called = np.array([each == name for each in marks], bool)
    return replace(
        image, lesions=image.lesions[true], boxes=image.boxes[called], scores=image.scores[called]
    )


def _numbered(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All scores in one row, and the number of the image that each is of."""
    images = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return (np.concatenate(parts).astype(float) if parts else np.zeros(0)), images
