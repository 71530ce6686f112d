"""The door for files of any format that a dataset comes in; DICOM goes straight through.

A hint is plain data, so that it can be told to a ``DecodeChild``:

=====================  ==========================================================================
key                    meaning
=====================  ==========================================================================
kind                   the source's own word for the image kind, if it knows better
raster                 how to read a file that is no DICOM, see ``dicom.raster``
masks                  for each mask the files that may be it, see ``dicom.mask``
=====================  ==========================================================================
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mgray.dicom.croppers import CropperName
from mgray.dicom.limits import DEFAULT_LIMITS, Limits
from mgray.dicom.mask import read_mask
from mgray.dicom.raster import to_dicom
from mgray.dicom.record import FileRecord, Volumes, read_record
from mgray.dicom.source import opened, sha256
from mgray.errors import Rejected

Hints = Mapping[str, Any]


def read_file(
    source: Path | bytes,
    limits: Limits = DEFAULT_LIMITS,
    volumes: Volumes = "refuse",
    hints: Hints | None = None,
    *,
    cropper: CropperName = "p1",
    header_only: bool = False,
) -> FileRecord:
    """Read one file in this process, as ``read_record``.

    Args:
        source: A file or its bytes.
        limits: Caps checked before decoding.
        volumes: As for ``read_record``.
        hints: What the source knows of the file, if anything.
        cropper: As for ``read_record``.
        header_only: As for ``read_record``; masks are not read.

    Returns:
        As ``read_record``; ``columns["masks"]`` holds what became of each mask of the hints.

    Raises:
        Rejected: As ``read_record``.
    """
    hints = hints or {}
    told = (limits, hints.get("kind"), volumes)
    if (raster := hints.get("raster")) is None:
        record = read_record(source, *told, cropper=cropper, header_only=header_only)
    else:
        with opened(source, limits) as data:
            wrapped, digest = to_dicom(_whole(data), raster, limits), sha256(data)
        record = read_record(wrapped, *told, cropper=cropper, header_only=header_only)
        record.columns["source_sha256"] = digest
        record = replace(record, header_kind=None)  # the header is ours, it marks nothing
    if hints.get("masks") and not header_only:
        size = record.columns["rows"], record.columns["columns"]
        masks = [read_mask([Path(p) for p in some], *size, limits) for some in hints["masks"]]
        record.columns["masks"] = [asdict(mask) for mask in masks]
    return record


def _whole(data: Any) -> bytes:
    try:
        return bytes(data[0 : len(data)])
    except MemoryError:
        raise Rejected("too_large", "out of memory") from None
