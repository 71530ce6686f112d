"""From images to breasts to the exam: one score each, and one answer."""

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from mgray.errors import REJECT_REASONS
from serve.answers import (
    Answer,
    BreastAnswer,
    Caution,
    Detected,
    ExamAnswer,
    Found,
    ImageAnswer,
    Refusal,
    Timing,
)
from serve.counts import count_refusal
from serve.problems import Problem


def image_score(detections: Sequence[Found]) -> float:
    """Highest score of a malignant detection; 0 without any, as in the reports."""
    return max((one.score for one in detections if one.label == "malignant"), default=0.0)


def accepted(replies: Sequence[Detected | Refusal]) -> list[Detected]:
    """Take what was detected if no image was refused.

    Raises:
        Problem: The first refusal; with several images it tells which one.
    """
    found = []
    for number, reply in enumerate(replies, start=1):
        if isinstance(reply, Refusal):
            count_refusal(reply.reason)
            where = f"image {number} of {len(replies)}: " if len(replies) > 1 else ""
            raise Problem(reply.reason, where + (reply.detail or REJECT_REASONS[reply.reason]))
        found.append(reply)
    return found


def compose(found: Sequence[Detected], timing: Timing) -> Answer:
    """Make the answer to a request from its images, in their order."""
    images = [one.answer for one in found]
    return Answer(
        exam=summarise_exam(images, [one.study for one in found]),
        images=images,
        model=found[0].model,
        thresholds=found[0].thresholds,
        timing_ms=timing,
    )


def summarise_exam(images: Sequence[ImageAnswer], studies: Sequence[str]) -> ExamAnswer:
    """Take images together: a breast has the mean of its views, the exam its highest breast.

    Args:
        images: Of one request.
        studies: What tells each image's study apart from others.

    References:
        Wu et al., arXiv:1903.08297, average the views of a breast.
    """
    places: dict[Literal["L", "R"] | None, list[int]] = {}
    for number, one in enumerate(images):
        places.setdefault(one.image.laterality, []).append(number)
    breasts = [
        BreastAnswer(laterality=side, score=fmean(images[place].score for place in own), images=own)
        for side, own in places.items()
    ]
    words = "the images are of several studies; the exam's score takes them as one"
    mixed = [Caution(code="several_exams", detail=words)] if len(set(studies)) > 1 else []
    return ExamAnswer(
        score=max(breast.score for breast in breasts), breasts=breasts, warnings=mixed
    )
