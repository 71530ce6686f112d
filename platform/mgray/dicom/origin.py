"""What an answer as DICOM must repeat of the image it speaks of: an allow-list of attributes."""

from collections.abc import MutableSequence
from pathlib import Path
from typing import Any, Final

from mgray.dicom.attributes import value
from mgray.dicom.header import parse
from mgray.dicom.limits import DEFAULT_LIMITS, Limits
from mgray.dicom.quiet import quiet
from mgray.dicom.record import HEADER_BYTES
from mgray.dicom.source import opened
from mgray.errors import Rejected

IDENTIFIERS: Final = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
)
REPEATED: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
MOST_CHARACTERS: Final = 400
"""Of one value, more than any of these representations may hold."""
SEPARATOR: Final = "\\"
"""Between values, PS3.5 6.4; no single value of these attributes may hold it."""

Origin = dict[str, str]
"""Keyword to text; patient data, only to be written into the answer's own DICOM objects."""


def read_origin(source: Path | bytes, limits: Limits = DEFAULT_LIMITS) -> Origin:
    """Read who and what an image belongs to, in this process.

    Values come as they are, several of them with a backslash between; whoever writes them checks
    them. What is absent or empty is left out.

    Args:
        source: A file or its bytes.
        limits: Caps checked before parsing.

    Raises:
        Rejected: As ``header.parse``; ``corrupt_header`` where a value cannot be read.
    """
    try:
        with quiet(), opened(source, limits, HEADER_BYTES) as data:
            dataset = parse(data, limits).dataset
            read = ((name, value(dataset, name)) for name in (*IDENTIFIERS, *REPEATED))
            return {name: _as_text(found) for name, found in read if found is not None}
    except RecursionError:
        raise Rejected("corrupt_header", "nested too deeply") from None
    except MemoryError:
        raise Rejected("too_large", "out of memory") from None


def _as_text(found: Any) -> str:
    """Write a value as its file has it; bytes, which are no text, as a value that none may have."""
    several = found if isinstance(found, MutableSequence) else [found]
    texts = (SEPARATOR if isinstance(one, bytes) else str(one).strip() for one in several)
    return SEPARATOR.join(texts)[: MOST_CHARACTERS + 1]
