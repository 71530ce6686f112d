"""The JSON answer of ``POST /v1/detect``. Nothing in it is copied from the header's text.

Light on purpose: the ingress imports it, and knows neither Torch nor the model.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

EXPECTED_KIND: Final = {"sm": "synthetic_2d", "ffdm": "ffdm"}
_KIND_WORDS: Final = {"synthetic_2d": "synthetic 2D mammogram", "ffdm": "digital mammogram (FFDM)"}


class Facts(BaseModel):
    """Base of all parts: frozen, a description under each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ImageFacts(Facts):
    """The image as stored; its pixel grid is the frame of all boxes."""

    rows: int
    """Height, pixels."""
    columns: int
    """Width, pixels."""
    pixel_spacing_mm: tuple[float, float] | None
    """Between rows and between columns, at the detector; null if the header does not tell."""


class ModelFacts(Facts):
    """Which model answered."""

    id: str
    """Name of the model folder."""
    sha256: str
    """Of the weights file."""


class Found(Facts):
    """One box the model suggests."""

    box: tuple[float, float, float, float]
    """``x0, y0, x1, y1`` in pixels of the DICOM's own grid, half-open, clipped to the image."""
    score: float
    """0 to 1; comparable with ``threshold`` only."""
    label: str
    """``benign`` or ``malignant``."""


class Caution(Facts):
    """Something about the image that makes the answer less trustworthy."""

    code: str
    """``image_kind``, or a quality flag as ingest would set it."""
    detail: str
    """The code in words."""


class Timing(Facts):
    """Where the time went, milliseconds."""

    decode: float
    """In the decoder: DICOM to the network's input."""
    detect: float
    """In the detector: waiting for the batch, network, postprocessing."""
    total: float | None = None
    """From the first byte read to the answer."""


class Answer(Facts):
    """Detections on one image. For research; not for diagnosis."""

    image: ImageFacts
    """The image."""
    model: ModelFacts
    """The model."""
    detections: list[Found]
    """By falling score; all that postprocessing keeps, also below the threshold."""
    threshold: float | None
    """Score of malignant boxes at one false positive per image on the validation split; null if
    not measured."""
    warnings: list[Caution]
    """Empty if the image is what the model was trained on."""
    timing_ms: Timing
    """Durations."""


@dataclass(frozen=True)
class Refusal:
    """The decoder refused the file: the other thing that can come back."""

    reason: str
    detail: str


def image_facts(columns: Mapping[str, Any]) -> ImageFacts:
    """Describe an image from its record."""
    spacing = columns["imager_pixel_spacing_mm"] or columns["pixel_spacing_mm"] or []
    known = len(spacing) == 2 and all(math.isfinite(step) and step > 0 for step in spacing)
    return ImageFacts(
        rows=columns["rows"],
        columns=columns["columns"],
        pixel_spacing_mm=tuple(spacing) if known else None,
    )


def cautions(columns: Mapping[str, Any], model_input: str) -> list[Caution]:
    """Say what is unusual about an image, for a model that takes ``sm`` or ``ffdm``."""
    kind, expected = columns["image_kind"], EXPECTED_KIND[model_input]
    flags = [Caution(code=flag, detail=flag.replace("_", " ")) for flag in columns["qc_flags"]]
    if kind == expected:
        return flags
    words = f"the image is of kind {kind}; the model was trained on {_KIND_WORDS[expected]}"
    return [Caution(code="image_kind", detail=words), *flags]
