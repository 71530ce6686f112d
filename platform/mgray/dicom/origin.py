"""What an answer as DICOM must repeat of the image it speaks of: an allow-list of attributes."""

from collections.abc import MutableSequence
from pathlib import Path
from typing import Final

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

Origin = dict[str, str]
"""Keyword to text; patient data, only to be written into the answer's own DICOM objects."""


def read_origin(source: Path | bytes, limits: Limits = DEFAULT_LIMITS) -> Origin:
    """Read who and what an image belongs to, in this process.

    Values come as they are; whoever writes them checks them. What is absent, empty or has several
    values is left out.

    Args:
        source: A file or its bytes.
        limits: Caps checked before parsing.

    Raises:
        Rejected: As ``header.parse``; ``corrupt_header`` where a value cannot be read.
    """
    try:
        with quiet(), opened(source, limits, HEADER_BYTES) as data:
            dataset = parse(data, limits).dataset
            found = {name: value(dataset, name) for name in (*IDENTIFIERS, *REPEATED)}
    except RecursionError:
        raise Rejected("corrupt_header", "nested too deeply") from None
    except MemoryError:
        raise Rejected("too_large", "out of memory") from None
    return {
        name: str(one).strip()[: MOST_CHARACTERS + 1]
        for name, one in found.items()
        if one is not None and not isinstance(one, MutableSequence | bytes)
    }
