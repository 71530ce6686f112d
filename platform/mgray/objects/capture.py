"""Secondary capture: a picture with the marks burned in, for viewers that show nothing else.

References:
    PS3.3 A.8.1.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from highdicom import PatientOrientationValuesBiped, sc
from jaxtyping import UInt8
from pydicom.uid import RLELossless

from mgray.dicom.quiet import quiet
from mgray.objects.content import Author, Mark, Marked, instance

_ANY: Final = ("A", "F")
WHITE: Final = 255
COPIED: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


def build_capture(
    image: Marked,
    shown: UInt8[np.ndarray, "height width"],
    columns: Mapping[str, Any],
    author: Author,
) -> sc.SCImage:
    """Burn the marks of one image into its picture.

    Args:
        image: The image.
        shown: Its display values, 0 black to 255 white, at full size.
        columns: Its orientation, of ``schema.IMAGE``.
        author: The model.
    """
    made_of: dict[str, Any] = {
        _argument(name): getattr(image.source, name) or None for name in COPIED
    }
    told, directions = instance("sc", author), _directions(columns)
    with quiet():
        made = sc.SCImage(
            pixel_array=burn(shown, image.marks),
            photometric_interpretation="MONOCHROME2",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=directions or _ANY,
            transfer_syntax_uid=RLELossless,
            specific_character_set="ISO_IR 192",
            series_description="mgray marks, burned in",
            **made_of,
            **told,
        )
    if directions is None:
        made.PatientOrientation = []  # unknown; highdicom asks for one
    made.Laterality = image.source.Laterality or ""
    made.BurnedInAnnotation = "YES"
    return made


def burn(
    shown: UInt8[np.ndarray, "height width"], marks: Sequence[Mark]
) -> UInt8[np.ndarray, "height width"]:
    """Draw white outlines with dark rims, and class and score above each."""
    drawn = shown.copy()
    unit = max(1, max(shown.shape) // 800)
    for mark in marks:
        x0, y0, x1, y1 = (round(edge) for edge in mark.box)
        words, place = f"{mark.label} {mark.score:.2f}", (x0, max(y0 - 4 * unit, 10 * unit))
        for width, grey in ((3 * unit, 0), (unit, WHITE)):
            cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), grey, width)
            cv2.putText(drawn, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * unit, grey, width)
    return drawn


def _directions(columns: Mapping[str, Any]) -> tuple[str, str] | None:
    """Patient orientation, if it is of the standard's words."""
    words = columns["patient_orientation"] or []
    known = {one.value for one in PatientOrientationValuesBiped}
    return (words[0], words[1]) if len(words) == 2 and known.issuperset(words) else None


def _argument(keyword: str) -> str:
    """``StudyInstanceUID`` as highdicom's argument ``study_instance_uid``."""
    words = keyword.replace("UID", "Uid").replace("ID", "Id")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in words).lstrip("_")
