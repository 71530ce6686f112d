"""The answer as DICOM objects: which form a client wants, and what each form holds.

Patient and study attributes of the request's own images go into these objects and nowhere else.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import uuid4

import numpy as np
from fastapi import Response
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, Field

from mgray.dicom.origin import Origin
from serve.answers import Answer, Found
from serve.problems import Problem

Form = Literal["sr", "gsps", "sc"]
Fppi = Literal["0.25", "0.5", "1", "2"]
JSON_RANGES: Final = ("*/*", "application/*", "application/json")
DICOM_RANGES: Final = ("application/dicom", "multipart/related", "multipart/*")


DICOM_ANSWER: Final[dict[str, Any]] = {
    "description": "JSON, or DICOM objects by Accept or `as`.",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in ("application/dicom", "multipart/related")
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
    fppi: Fppi = "1"
    """Operating point of DICOM answers: malignant boxes at or above the threshold for so many false
    positives per image are shown; all of them where it was not measured."""


@dataclass(frozen=True)
class Filed:
    """What the DICOM answer needs of an image beside its detections."""

    origin: Origin
    columns: dict[str, Any]
    shown: UInt8[np.ndarray, "height width"] | None


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


def write_objects(form: Form, fppi: Fppi, answer: Answer, images: Sequence[Filed]) -> list[bytes]:
    """Make the objects: one report, or one presentation state or capture for each image.

    Raises:
        Rejected: ``missing_identity``.
    """
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
    if form == "sr":
        return [file_bytes(build_report(marked, answer.exam.score, author))]
    made = []
    for image, one in zip(marked, images, strict=True):
        if form == "gsps":
            made.append(file_bytes(build_presentation(image, one.columns, author)))
        else:
            assert one.shown is not None
            made.append(file_bytes(build_capture(image, one.shown, one.columns, author)))
    return made


def shown(detections: Sequence[Found], limit: float) -> list[Found]:
    """Take the malignant detections at or above a threshold."""
    return [one for one in detections if one.label == "malignant" and one.score >= limit]


def dicom_response(objects: Sequence[bytes]) -> Response:
    """Send one object as it is, several as parts.

    References:
        PS3.18 8.6.1.2 (multipart/related).
    """
    if len(objects) == 1:
        return Response(objects[0], media_type="application/dicom")
    boundary = uuid4().hex
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + one + b"\r\n" for one in objects) + f"--{boundary}--\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
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
    "rows",
    "columns",
    "laterality",
    "patient_orientation",
    "rescale_slope",
    "rescale_intercept",
    "window_center",
    "window_width",
    "voi_lut",
    "voi_lut_function",
    "photometric_interpretation",
    "presentation_lut_shape",
)


def _author(answer: Answer, fppi: Fppi) -> tuple[float, Any]:
    from mgray.objects.content import Author

    model, limit = answer.model, answer.thresholds.get(fppi)
    rule = f"malignant, score >= {limit:.4g}, {fppi} FP/image" if limit else "all malignant"
    return limit or 0.0, Author(model.id, model.version, model.sha256, rule)
