"""What the objects of one answer share: the images with their marks, the model, new identifiers."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, Protocol, runtime_checkable

from pydicom import Dataset, dcmwrite
from pydicom.uid import generate_uid

from mgray import __version__
from mgray.dicom.quiet import quiet
from mgray.errors import MissingExtraError

MANUFACTURER: Final = "mgray"
SERIES: Final = {"sr": 9901, "gsps": 9902, "sc": 9903}
"""Series numbers, far from those of a modality."""
NOTICE: Final = "For research; not for diagnosis."


@runtime_checkable
class Mark(Protocol):
    """One box of a detector."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """``xyxy``, half-open, pixels of the dicom frame."""

    @property
    def score(self) -> float:
        """0 to 1."""

    @property
    def label(self) -> str:
        """``benign`` or ``malignant``."""


@dataclass(frozen=True)
class Marked:
    """One image and what is to be said of it.

    Args:
        source: From ``source.build_source``.
        marks: Those that are shown.
        score: Of the image, 0 to 1.
    """

    source: Dataset
    marks: Sequence[Mark]
    score: float


@dataclass(frozen=True)
class Author:
    """Who says it.

    Args:
        model: Name of the model.
        version: Of the model.
        sha256: Of its weights.
        rule: Which marks are shown, in words.
    """

    model: str
    version: str
    sha256: str
    rule: str


def require_highdicom() -> None:
    """Ask for the library before the work begins.

    Raises:
        MissingExtraError: It is not installed.
    """
    if find_spec("highdicom") is None:
        raise MissingExtraError("DICOM answers need highdicom: pip install 'mgray[serve]'")


def instance(form: str, author: Author) -> dict[str, Any]:
    """Attributes of a new object and its series: identifiers, equipment."""
    return {
        "series_instance_uid": generate_uid(prefix=None),
        "series_number": SERIES[form],
        "sop_instance_uid": generate_uid(prefix=None),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": author.model[:64],
        "software_versions": __version__,
        "device_serial_number": author.version[:64],
    }


def file_bytes(dataset: Dataset) -> bytes:
    """Write a DICOM file."""
    file = io.BytesIO()
    with quiet():
        dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()
