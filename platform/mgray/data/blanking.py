"""What the papers blank inside a breast's crop before a network sees it; nothing is moved."""

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import Bool, Float

from mgray.data.config import PreprocessConfig
from mgray.dicom.croppers import mask_p4
from mgray.dicom.pectoral import P5_LONG_SIDE, corner_mask, pectoral_corner

Mask = Bool[np.ndarray, "height width"]
SHOWING_PECTORAL: Final = ("MLO", "LMO", "ML", "LM")
PUBLISHED_GREY: Final = 114 / 255
"""What P5's code fills the corner with."""


def blank(
    crop: Float[np.ndarray, "height width"],
    record: Mapping[str, Any],
    config: PreprocessConfig,
    *,
    reduce: int = 0,
    mirrored: bool = False,
) -> Float[np.ndarray, "height width"]:
    """Blank what the config says, in place.

    Args:
        crop: Display values of a breast's crop.
        record: Its row of the image table: ``rows``, ``columns`` and ``view`` are used.
        config: ``outside`` and ``pectoral`` are used.
        reduce: Wavelet levels that ``crop`` lacks.
        mirrored: The chest wall is at the right.

    Returns:
        ``crop``.

    References:
        PAPERS.md 4.5 and 5.2.
    """
    seen = crop[:, ::-1] if mirrored else crop
    published = config.pectoral == "as_published"
    if published or (config.pectoral == "mlo" and record["view"] in SHOWING_PECTORAL):
        side = max(record["rows"], record["columns"]) * 2.0**-reduce
        seen[_pectoral(seen, P5_LONG_SIDE / side)] = PUBLISHED_GREY if published else 0.0
    if config.outside == "black":
        crop[_outside(crop)] = 0.0
    return crop


def _pectoral(seen: Float[np.ndarray, "height width"], scale: float) -> Mask:
    """The muscle of a crop with its chest wall at the left; ``scale`` makes it P5's size."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = cv2.resize(np.ascontiguousarray(seen), None, fx=scale, fy=scale, interpolation=how)
    corner = pectoral_corner((image * 255).astype(np.uint8))
    if corner is None:
        return np.zeros(seen.shape, bool)
    return corner_mask(seen.shape, (corner[0] / scale, corner[1] / scale))


def _outside(crop: Float[np.ndarray, "height width"]) -> Mask:
    """What no breast is; the frame around the crop says what black is."""
    mask = mask_p4(np.pad(crop, 1))
    return np.ones(crop.shape, bool) if mask is None else ~mask[1:-1, 1:-1]
