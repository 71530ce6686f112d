"""The answer as DICOM objects: which form a client wants, and what each form holds.

Patient and study attributes of the request's own images go into these objects and nowhere else.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from fastapi import Response
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, Field

from mgray.dicom.origin import Origin
from mgray.dicom.pixels import DISPLAY_COLUMNS, STORED_COLUMNS
from mgray.errors import Rejected
from mgray.models.shelf import NAME
from mgray.recipes.stow import related
from serve.answers import Answer, Found
from serve.examples import ANSWER
from serve.problems import Problem

Form = Literal["sr", "gsps", "sc"]
Fppi = Literal["0.25", "0.5", "1", "2"]
JSON_RANGES: Final = ("*/*", "application/*", "application/json")
DICOM_RANGES: Final = ("application/dicom", "multipart/related", "multipart/*")
MOST_MARKS: Final = 20
"""On one image of a DICOM answer; more would hide it."""
DICOM_ANSWER: Final[dict[str, Any]] = {
    "description": "JSON, or DICOM objects by Accept or `as`.",
    "content": {
        "application/json": {"example": ANSWER},
        **{
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/dicom", "multipart/related")
        },
    },
}


class Wanted(BaseModel):
    """The query parameters of a request."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    contributions: bool = False
    """Also detect with each half of the fused representation alone."""
    form: Form | None = Field(default=None, alias="as")
    """Answer as DICOM: ``sr`` (structured report of the exam), ``gsps`` (presentation state of each
    image) or ``sc`` (secondary capture of each image, boxes burned in)."""
    model: str | None = Field(default=None, pattern=f"^{NAME}$", max_length=64)
    """Name of the model; the default one if not given."""
    version: str | None = Field(default=None, pattern=f"^{NAME}$", max_length=64)
    """Of the model; the current one if not given."""
    fppi: Fppi = "1"
    """Operating point of DICOM answers: malignant boxes at or above the threshold for so many false
    positives per image are shown, 20 at most; all of them where it was not measured."""


@dataclass(frozen=True)
class Filed:
    """What the DICOM answer needs of an image beside its detections."""

    origin: Origin
    columns: dict[str, Any]
    shown: UInt8[np.ndarray, "height width"] | None


@dataclass(frozen=True)
class Written:
    """DICOM objects, and what they speak of."""

    objects: list[bytes]
    sources: list[tuple[str, str]]
    """SOP Class and Instance UID of each image."""


def choose_form(accept: str | None, wanted: Wanted) -> Form | None:
    """Tell how to answer: None for JSON.

    Of the media ranges of ``Accept`` the first that is known decides; ``as`` alone means DICOM.

    Raises:
        Problem: 406: no known range, or DICOM where highdicom is not installed.
    """
    ranges = [one.partition(";")[0].strip().lower() for one in (accept or "*/*").split(",")]
    known = next((one for one in ranges if one in JSON_RANGES + DICOM_RANGES), None)
    if known is None:
        raise Problem("not_acceptable", "expected application/json or application/dicom")
    form = wanted.form or ("sr" if known in DICOM_RANGES else None)
    if known == "application/json":
        form = None
    if form is not None and importlib.util.find_spec("highdicom") is None:
        raise Problem("not_acceptable", "DICOM answers need the extra serve (highdicom)")
    return form


def write_objects(form: Form, fppi: Fppi, answer: Answer, images: Sequence[Filed]) -> Written:
    """Make the objects: one report, or one presentation state or capture for each image.

    Raises:
        Rejected: ``missing_identity``, also where one report would be of several patients;
            ``corrupt_header`` where the header has a value that cannot be repeated, such as a grey
            table that begins below 0.
    """
    try:
        return _write(form, fppi, answer, images)
    except (LookupError, ValueError, TypeError, OverflowError):
        raise Rejected("corrupt_header", f"it has values that a {form} cannot repeat") from None


def _write(form: Form, fppi: Fppi, answer: Answer, images: Sequence[Filed]) -> Written:
    from mgray.objects.capture import build_capture
    from mgray.objects.content import Marked, file_bytes
    from mgray.objects.presentation import build_presentation
    from mgray.objects.report import build_report
    from mgray.objects.source import build_source

    limit, author = _author(answer, fppi)
    marked = [
        Marked(build_source(one.origin, one.columns), shown(told.detections, limit), told.score)
        for one, told in zip(images, answer.images, strict=True)
    ]
    sources = [(one.source.SOPClassUID, one.source.SOPInstanceUID) for one in marked]
    if form == "sr":
        return Written([file_bytes(build_report(marked, answer.exam.score, author))], sources)
    made = []
    for image, one in zip(marked, images, strict=True):
        if form == "gsps":
            made.append(file_bytes(build_presentation(image, one.columns, author)))
        else:
            assert one.shown is not None
            made.append(file_bytes(build_capture(image, one.shown, one.columns, author)))
    return Written(made, sources)


def shown(detections: Sequence[Found], limit: float) -> list[Found]:
    """Take the malignant detections at or above a threshold, the first of them."""
    found = [one for one in detections if one.label == "malignant" and one.score >= limit]
    return found[:MOST_MARKS]


def dicom_response(objects: Sequence[bytes]) -> Response:
    """Send one object as it is, several as parts.

    References:
        PS3.18 8.6.1.2 (multipart/related).
    """
    if len(objects) == 1:
        return Response(objects[0], media_type="application/dicom")
    kind, body = related(objects)
    return Response(body, headers={"Content-Type": kind})


def grey_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Take what the objects repeat of a record."""
    return {name: columns[name] for name in _COLUMNS}


def eight_bits(
    display: Float[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width"]:
    """Turn display values, 0 to 1, into 8 bits."""
    return np.asarray(np.rint(display * 255), np.uint8)


_COLUMNS: Final = (
    *("rows", "columns", "laterality", "patient_orientation"),
    *(name for name in DISPLAY_COLUMNS if name not in STORED_COLUMNS),
)


def _author(answer: Answer, fppi: Fppi) -> tuple[float, Any]:
    from mgray.objects.content import Author

    model, limit = answer.model, answer.thresholds.get(fppi)
    rule = f"malignant, score >= {limit:.4g}, {fppi} FP/image" if limit else "all malignant"
    return limit or 0.0, Author(model.id, model.version, model.sha256, rule)
