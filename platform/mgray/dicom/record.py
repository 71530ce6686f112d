"""The one door: a DICOM file in, a ``FileRecord`` out or ``Rejected``.

Size caps, parse, modality, kind, promise of the header, codestream against promise, decode,
checks, columns: in this order, so that every step is cheap and safe because of the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Integer

from mgray.dicom.attributes import integer, text
from mgray.dicom.codecs import SYNTAXES, FrameSpec, decode_frame
from mgray.dicom.columns import bright_copy, header_columns, pixel_columns, pixel_flags
from mgray.dicom.croppers import CropperName
from mgray.dicom.frames import Frames, PixelValue, find_frames, project
from mgray.dicom.grey import check_grey
from mgray.dicom.header import parse
from mgray.dicom.kind import check_burned_in, check_modality, image_kind, marked_kind
from mgray.dicom.limits import DEFAULT_LIMITS, Limits
from mgray.dicom.quiet import quiet
from mgray.dicom.source import WHOLE_BYTES, Bytes, opened, sha256
from mgray.errors import Rejected

if TYPE_CHECKING:
    from pydicom import Dataset

HELD_KINDS = ("ffdm", "ffdm_raw", "synthetic_2d", "dbt", "dbt_slice", "film", "cesm", "unknown")
"""Kinds that the image table holds, as single frames; ``dbt`` also as a volume's projection."""
Volumes = Literal["refuse", "mip"]
"""What becomes of an object with more than one frame: refused, or its projection."""

HEADER_BYTES = 2**20
"""Files up to this size are read at once even if only the header is wanted."""


@dataclass(frozen=True)
class Identity:
    """Raw identifiers: only to make pseudonyms from, never to be logged or stored."""

    sop_instance_uid: str
    study_instance_uid: str
    patient_id: str


@dataclass(frozen=True)
class FileRecord:
    """What one file alone tells.

    Args:
        identity: Raw identifiers.
        columns: Names and types of ``schema.IMAGE``.
        header_kind: The kind that the header marks, whatever the source's word; ``None`` where
            nothing in it does.
    """

    identity: Identity
    columns: dict[str, Any]
    header_kind: str | None


def read_record(
    source: Path | bytes,
    limits: Limits = DEFAULT_LIMITS,
    kind: str | None = None,
    volumes: Volumes = "refuse",
    *,
    cropper: CropperName = "p1",
    header_only: bool = False,
) -> FileRecord:
    """Read one file in this process. Hostile bytes belong into a ``DecodeChild``.

    Args:
        source: A file or its bytes.
        limits: Caps checked before decoding.
        kind: The source's own word for the image kind, if it knows better than the header.
        volumes: Whether a tomosynthesis volume is refused or becomes its maximum intensity
            projection, computed frame by frame.
        cropper: Tells where the breast is: a key of ``croppers.CROPPERS``.
        header_only: Read and check the header and where the frames lie, decode nothing; columns
            that only pixels tell are absent.

    Raises:
        Rejected: With a reason of ``errors.REJECT_REASONS``.
    """
    whole_bytes = HEADER_BYTES if header_only else WHOLE_BYTES
    try:
        with quiet(), opened(source, limits, whole_bytes) as data:
            return _record(data, limits, kind, volumes, None if header_only else cropper)
    except RecursionError:
        raise Rejected("corrupt_header", "nested too deeply") from None
    except MemoryError:
        raise Rejected("too_large", "out of memory") from None


def iter_frames(
    source: Path | bytes, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Integer[np.ndarray, "height width"]]:
    """Read the stored values of each frame in this process, one frame in memory at a time.

    Args:
        source: A file or its bytes.
        limits: Caps checked before decoding.

    Raises:
        Rejected: As ``read_record``; also in the middle of a file.
    """
    with opened(source, limits) as data:
        with quiet():
            dataset, syntax, pixels = parse(data, limits)
            check_modality(dataset)
            frames = _decoded(*_frames(dataset, syntax, pixels, limits))
        while True:
            with quiet():  # not while the caller has a frame
                stored = next(frames, None)
            if stored is None:
                return
            yield stored


def _record(
    data: Bytes,
    limits: Limits,
    kind: str | None,
    volumes: Volumes,
    cropper: CropperName | None,
) -> FileRecord:
    """Read a file; its header only if there is no cropper."""
    dataset, syntax, pixels = parse(data, limits)
    check_modality(dataset)
    if pixels is None:
        raise Rejected("no_pixels")
    identity = _identity(dataset)
    _frame_spec(dataset, limits)
    columns = header_columns(dataset, syntax)
    columns["image_kind"], columns["kind_evidence"] = _held_kind(dataset, kind, volumes)
    check_grey(columns)
    frames, spec = _frames(dataset, syntax, pixels, limits)
    if cropper is None:
        return FileRecord(identity, columns, marked_kind(dataset))
    mislabelled = [frames.mislabelled]
    stored = project(_decoded(frames, spec, mislabelled), columns)
    bright = bright_copy(stored, columns)
    columns |= pixel_columns(stored, bright, cropper)
    columns["qc_flags"] += pixel_flags(stored, bright, columns)
    columns["qc_flags"] += ["syntax_mislabelled"] * any(mislabelled)
    columns["source_sha256"] = sha256(data)
    return FileRecord(identity, columns, marked_kind(dataset))


def _decoded(
    frames: Frames, spec: FrameSpec, mislabelled: list[bool] | None = None
) -> Iterator[Integer[np.ndarray, "height width"]]:
    """Decode frame by frame; note in ``mislabelled`` whether each belied its transfer syntax."""
    for frame in frames:
        stored, other = decode_frame(frame, frames.family, spec)
        if mislabelled is not None:
            mislabelled.append(other)
        yield stored


def _identity(dataset: "Dataset") -> Identity:
    sop_instance_uid = text(dataset, "SOPInstanceUID")
    if sop_instance_uid is None:
        raise Rejected("corrupt_header", "(0008,0018) SOP Instance UID is missing")
    return Identity(
        sop_instance_uid, text(dataset, "StudyInstanceUID") or "", text(dataset, "PatientID") or ""
    )


def _held_kind(dataset: "Dataset", override: str | None, volumes: Volumes) -> tuple[str, str]:
    kind, evidence = image_kind(dataset, override)
    check_burned_in(dataset, kind, evidence)
    if kind not in HELD_KINDS:
        raise Rejected("unsupported_kind", kind)
    if integer(dataset, "NumberOfFrames", 1) != 1 and (volumes, kind) != ("mip", "dbt"):
        raise Rejected("unsupported_kind", "more than one frame")
    return kind, evidence


def _frame_spec(dataset: "Dataset", limits: Limits) -> FrameSpec:
    """Read and check what the header promises about its pixels."""
    rows, columns = integer(dataset, "Rows") or 0, integer(dataset, "Columns") or 0
    frames = integer(dataset, "NumberOfFrames", 1) or 0
    allocated, stored = integer(dataset, "BitsAllocated"), integer(dataset, "BitsStored")
    over = rows * columns > limits.max_pixels or frames > limits.max_frames
    if over or rows * columns * frames > limits.max_volume_pixels:
        raise Rejected("too_large", f"{rows} x {columns} x {frames} pixels")
    if rows < 1 or columns < 1 or frames < 1:
        raise Rejected("corrupt_header", "rows, columns or frames below 1")
    if integer(dataset, "SamplesPerPixel", 1) != 1 or not (
        text(dataset, "PhotometricInterpretation") or ""
    ).startswith("MONOCHROME"):
        raise Rejected("unsupported_kind", "a colour image")
    if allocated not in (8, 16) or stored is None or not 1 < stored <= allocated:
        raise Rejected("header_mismatch", f"{stored} bits stored in {allocated} allocated")
    if integer(dataset, "HighBit", stored - 1) != stored - 1:
        raise Rejected("header_mismatch", "(0028,0102) High Bit is not Bits Stored - 1")
    sign = integer(dataset, "PixelRepresentation", 0)
    if sign not in (0, 1):
        raise Rejected("corrupt_header", "(0028,0103) Pixel Representation is neither 0 nor 1")
    return FrameSpec(rows, columns, allocated, stored, sign == 1)


def _frames(
    dataset: "Dataset", syntax: str, pixels: PixelValue | None, limits: Limits
) -> tuple[Frames, FrameSpec]:
    """Find the frames and what the header promises about each."""
    if pixels is None:
        raise Rejected("no_pixels")
    if syntax not in SYNTAXES:
        raise Rejected("unsupported_syntax", _name_of(syntax))
    spec = _frame_spec(dataset, limits)
    count = integer(dataset, "NumberOfFrames", 1) or 1
    return find_frames(pixels, SYNTAXES[syntax], spec, count), spec


def _name_of(syntax: str) -> str:
    """Name a transfer syntax of the standard; a file may hold any text in its place."""
    from pydicom.uid import UID

    return syntax if UID(syntax).type == "Transfer Syntax" else "(0002,0010) is not of the standard"
