"""Every error mgray raises on purpose.

::

    MgrayError               one clear line, no traceback; ``exit_code`` for the shell
    ├── ConfigError          exit 2: a key, a value or a recipe that does not exist
    ├── NotFoundError        exit 2: a folder or file that the user named is missing
    ├── SchemaError          exit 2: a table or model folder of another format version
    ├── DataError            exit 1: tables that contradict themselves; counts that do not add up
    ├── TooManyRejectedError exit 3: more files were refused than ``max_rejected`` allows
    ├── MissingExtraError    exit 2: an optional package is needed; the message names the extra
    ├── LicenceError         exit 2: a licence forbids what was asked
    └── Rejected             one input file was refused, with a reason from ``REJECT_REASONS``

A message says what was wrong, the value, what was expected and what to do. It never holds a
patient's attribute, or a file name or path from an archive.
"""

from typing import Final

REJECT_REASONS: Final[dict[str, str]] = {
    "unreadable": "the file could not be opened or read",
    "empty": "the file has no bytes",
    "not_dicom": "the file is not DICOM",
    "corrupt_header": "the DICOM header cannot be parsed",
    "no_pixels": "the object holds no pixel data",
    "wrong_modality": "the object is not a mammogram",
    "unsupported_kind": "the object is a mammogram of a kind this table does not hold",
    "unsupported_syntax": "no decoder for this transfer syntax is installed",
    "too_large": "the file, its element count or its pixel matrix is over the limit",
    "header_mismatch": "the header contradicts the compressed pixel data",
    "corrupt_pixels": "the pixel data cannot be decoded",
    "bad_pixels": "the decoded pixels have a wrong shape, type or range",
    "decoder_died": "the decoder process was killed by this file",
    "timeout": "decoding took longer than the limit",
    "duplicate": "another file with the same SOP instance UID was ingested",
    "burned_in": "the image may hold burned-in text",
    "missing_identity": "laterality, view or exam cannot be told from table or header",
}


class MgrayError(Exception):
    """Base of all; the text is one line for a person."""

    exit_code = 1


class ConfigError(MgrayError):
    """A key, a value or a recipe's name that does not exist."""

    exit_code = 2


class NotFoundError(MgrayError):
    """A folder or file the user named is missing."""

    exit_code = 2


class SchemaError(MgrayError):
    """A table or model folder of another format version."""

    exit_code = 2


class DataError(MgrayError):
    """Tables that contradict themselves; counts that do not add up."""


class TooManyRejectedError(MgrayError):
    """More files were refused than the user allows."""

    exit_code = 3


class MissingExtraError(MgrayError):
    """An optional package is needed."""

    exit_code = 2


class LicenceError(MgrayError):
    """A dataset's licence forbids what was asked."""

    exit_code = 2


class Rejected(MgrayError):  # noqa: N818 - a refusal is an answer, not a fault
    """One input file was refused.

    Args:
        reason: A key of ``REJECT_REASONS``.
        detail: What was found, in words that hold no patient data: tags, sizes, syntaxes.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        if reason not in REJECT_REASONS:
            raise ValueError(f"unknown reject reason {reason!r}; see mgray.errors.REJECT_REASONS")
        self.reason, self.detail = reason, detail
        super().__init__(
            f"{REJECT_REASONS[reason]}: {detail}" if detail else REJECT_REASONS[reason]
        )

    def __reduce__(self) -> tuple[type["Rejected"], tuple[str, str]]:
        """Survive pickling between processes."""
        return Rejected, (self.reason, self.detail)
