"""The image that an object speaks of, as far as the object repeats it."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydicom import Dataset

from mgray.dicom.origin import IDENTIFIERS, REPEATED
from mgray.errors import Rejected

_UID: Final = re.compile(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+\Z")
_TIME: Final = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?\Z")
_LONGEST: Final = {"StudyID": 16, "AccessionNumber": 16, "PatientID": 64}
_CONTROL: Final = ("Cc", "Cs")
"""Control characters and halves of one; a joiner (Cf) is a part of Persian and Indian names."""
_TAGS: Final = {
    "SOPClassUID": "(0008,0016) SOP Class UID",
    "SOPInstanceUID": "(0008,0018) SOP Instance UID",
    "StudyInstanceUID": "(0020,000D) Study Instance UID",
    "SeriesInstanceUID": "(0020,000E) Series Instance UID",
    "PatientID": "(0010,0020) Patient ID",
}


def build_source(origin: Mapping[str, str], columns: Mapping[str, Any]) -> Dataset:
    """Make the data set of an image that objects refer to: identity and grey settings, no pixels.

    What a header may leave empty and what has no valid value is empty.

    Args:
        origin: As ``dicom.origin.read_origin`` gives it.
        columns: ``SOURCE_COLUMNS`` of the image's record.

    Raises:
        Rejected: ``missing_identity``: a UID is absent or malformed, or the patient's ID is
            malformed, so that the object could not be filed with its image.

    References:
        PS3.5 6.2 (value representations); PS3.3 C.7.1.1, C.7.2.1 (patient, study).
    """
    for name in (*IDENTIFIERS, "PatientID"):
        told = name in origin
        if (told or name in IDENTIFIERS) and not _valid(name, origin.get(name, "")):
            raise Rejected("missing_identity", f"{_TAGS[name]} is missing or malformed")
    source = Dataset()
    source.SpecificCharacterSet = "ISO_IR 192"
    for name in (*IDENTIFIERS, *REPEATED):
        text = origin.get(name, "")
        setattr(source, name, text if _valid(name, text) else "")
    source.Rows, source.Columns = columns["rows"], columns["columns"]
    source.SamplesPerPixel = 1
    source.Laterality = columns["laterality"]
    return source


def _valid(name: str, text: str) -> bool:
    if name in IDENTIFIERS:
        return bool(_UID.match(text))
    if name.endswith("Date"):
        return _is_date(text)
    if name.endswith("Time"):
        return bool(_TIME.match(text))
    if name == "PatientSex":
        return text in ("M", "F", "O")
    if name.endswith("Name"):
        groups = text.split("=")
        return len(groups) <= 3 and all(_plain(group, 64) for group in groups)
    return _plain(text, _LONGEST[name])


def _is_date(text: str) -> bool:
    try:
        return len(text) == 8 and text.isdigit() and bool(datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        return False


def _plain(text: str, longest: int) -> bool:
    """Whether a text is short enough and holds no backslash and no control character."""
    return len(text) <= longest and not any(
        letter == "\\" or unicodedata.category(letter) in _CONTROL for letter in text
    )
