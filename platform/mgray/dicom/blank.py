"""Blank what lies outside the breast, where machines write names and dates into the pixels."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from mgray.dicom.breast import breast_mask
from mgray.dicom.codecs import encode_htj2k
from mgray.dicom.columns import bright_copy, hash_pixels
from mgray.dicom.pixels import read_stored
from mgray.dicom.record import FileRecord
from mgray.errors import Rejected

MARGIN = 0.05
"""Share of the long side that is kept around the breast: skin and nipple may be fainter than the
threshold of the mask."""
FLAG = "outside_blanked"


def blank_outside_breast(record: FileRecord) -> FileRecord:
    """Set all pixels beyond a margin around the breast's convex hull to the background's median.

    Args:
        record: As decoded; left unchanged.

    Returns:
        The record with other pixels, flagged; inside the margin every pixel is as it was.

    Raises:
        Rejected: ``burned_in``, if no breast is found: then nothing tells text from breast.
    """
    columns = record.columns
    kind = np.int16 if columns["pixel_representation"] else np.uint16
    stored = read_stored(columns).astype(kind)
    mask = breast_mask(bright_copy(stored, columns))
    if mask is None:
        raise Rejected("burned_in", "no breast is found around which to blank")
    outside = ~_kept(mask, stored.shape)
    if not outside.any():
        return replace(record, columns={**columns, "qc_flags": [*columns["qc_flags"], FLAG]})
    blanked = np.where(outside, kind(np.median(stored[outside])), stored)
    changes = {
        "pixels": encode_htj2k(blanked),
        "pixel_offset": 0,
        "pixel_blake3": hash_pixels(blanked),
        "qc_flags": [*columns["qc_flags"], FLAG],
    }
    return replace(record, columns={**columns, **changes})


def _kept(
    mask: Bool[np.ndarray, "small_height small_width"], shape: tuple[int, ...]
) -> Bool[np.ndarray, "height width"]:
    """Grow the hull of a small mask by the margin, at the size of the image."""
    import cv2

    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    side = 2 * int(np.ceil(MARGIN * max(mask.shape))) + 1
    grown = cv2.dilate(hull, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(grown, size, interpolation=cv2.INTER_NEAREST), dtype=bool)
