"""The JSON answer of ``POST /v1/detect``. Nothing in it is copied from the header's free text.

Light on purpose: the ingress imports it, and knows neither Torch nor the model.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

Box = tuple[float, float, float, float]


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
    kind: str
    """What the image is: ``synthetic_2d``, ``ffdm``, ``film`` ..."""
    laterality: Literal["L", "R"] | None
    """The breast; null if the header does not tell."""
    view: str | None
    """``CC``, ``MLO`` ..., of a closed list; null if the header does not tell."""
    view_modifiers: list[str]
    """``spot``, ``magnification``, ``implant_displaced`` ..., of a closed list."""


class Window(Facts):
    """How stored values became grey."""

    center: float | None
    """Of the first window, in rescaled values; null for a table."""
    width: float | None
    """Of the first window; null for a table."""
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID", "LUT"]
    """PS3.3 C.11.2; ``LUT`` is a table in the header."""


class Preprocessing(Facts):
    """What was done to the image before the network saw it."""

    crop: Box
    """The part that the network saw: ``x0, y0, x1, y1`` in pixels of the DICOM's own grid."""
    mirrored: bool
    """Whether left and right were exchanged, so that the breast touches the left edge."""
    inverted: bool
    """Whether low stored values are bright (MONOCHROME1, or presentation shape INVERSE)."""
    window: Window | None
    """Null: the whole range of stored bits."""
    net_size: tuple[int, int]
    """Height and width of the network's input, pixels."""


class Found(Facts):
    """One box the model suggests."""

    box: Box
    """``x0, y0, x1, y1`` in pixels of the DICOM's own grid, half-open, clipped to the image."""
    box_mm: Box | None
    """The same in millimetres from the top left corner; null without pixel spacing."""
    score: float
    """0 to 1; comparable with ``thresholds`` only."""
    label: str
    """What the model takes it for: ``benign`` or ``malignant``."""


class Contributions(Facts):
    """Detections with one half of the fused representation set to zero, to see what each adds."""

    a: list[Found]
    """With A's half alone: what training on synthetic images gave."""
    b: list[Found]
    """With B's half alone: what distillation from full-field images gave."""


class Caution(Facts):
    """Something that makes the answer less trustworthy."""

    code: str
    """``image_kind``, ``out_of_distribution``, ``several_exams``, or a quality flag of ingest."""
    detail: str
    """The code in words."""


class ImageTiming(Facts):
    """Where the time of one image went, milliseconds."""

    decode: float
    """In the decoder: DICOM to the network's input."""
    detect: float
    """In the detector: waiting for the batch, network, postprocessing."""


class ImageAnswer(Facts):
    """Detections on one image."""

    image: ImageFacts
    """The image."""
    score: float
    """Highest score of a malignant detection; 0 without any."""
    detections: list[Found]
    """By falling score; all that postprocessing keeps, also below every threshold."""
    contributions: Contributions | None = None
    """Only if asked for, and only of a fused model."""
    warnings: list[Caution]
    """Empty if the image is what the model was trained on."""
    preprocessing: Preprocessing
    """What the network saw of it."""
    timing_ms: ImageTiming
    """Durations."""


class BreastAnswer(Facts):
    """One breast of an exam."""

    laterality: Literal["L", "R"] | None
    """Null for images whose header does not tell."""
    score: float
    """Mean of its images' scores."""
    images: list[int]
    """Their places in the list of images, from 0."""


class ExamAnswer(Facts):
    """All images of the request taken together."""

    score: float
    """Highest score of a breast."""
    breasts: list[BreastAnswer]
    """In the order of their first images."""
    warnings: list[Caution]
    """``several_exams`` if the images are not of one study."""


class ModelFacts(Facts):
    """Which model answered."""

    id: str
    """Name of the model."""
    version: str
    """Of the model; the first twelve digits of its hash where it has no other name."""
    sha256: str
    """Of the weights file."""
    config_fingerprint: str
    """Of architecture, pre- and postprocessing and thresholds."""


class Timing(Facts):
    """Where the time of the request went, milliseconds."""

    read: float
    """Until the last byte of the body was there."""
    total: float
    """From the first byte to the answer."""


class Answer(Facts):
    """Detections on the images of one request. For research; not for diagnosis."""

    exam: ExamAnswer
    """All images together."""
    images: list[ImageAnswer]
    """Each image, in the order of the request."""
    model: ModelFacts
    """The model."""
    thresholds: dict[str, float]
    """Scores of malignant boxes at so many false positives per image on the validation split:
    ``0.25``, ``0.5``, ``1`` and ``2``; only what was measured."""
    timing_ms: Timing
    """Durations."""


@dataclass(frozen=True)
class Refusal:
    """The decoder refused the file: the other thing that can come back."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Detected:
    """One image's part of the answer, as it comes from the detector."""

    answer: ImageAnswer
    model: ModelFacts
    thresholds: dict[str, float]
    study: str
    """Equal for images of one study; tells nothing else."""
