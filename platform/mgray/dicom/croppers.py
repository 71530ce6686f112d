"""Named rules of where the breast is: one interface, one table of rules.

Every rule makes a mask on the small copy (``breast.small_copy``) and tells the side; the box
follows from the mask the same way for all. A rule that works on 8 bits gets the image's range
stretched to them, so that signed, inverted and processed images are alike to it. What a paper adds
around the box, blanks or cuts off is done on the network's input: ``PreprocessConfig``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mgray.dicom.breast import MIN_SHARE, breast_box, breast_mask, fuller_half, pixels_face
from mgray.dicom.pectoral import P5_LONG_SIDE

CropperName = Literal["p1", "p4", "p5"]
"""A paper whose rule tells where the breast is."""
Mask = Bool[np.ndarray, "height width"]

P4_THRESHOLD: Final = 0.05
"""Share of the maximum."""
P5_THRESHOLD: Final = 20
"""Of 255."""
P5_BORDER: Final = 5 / P5_LONG_SIDE
"""Share of the long side: the paper cuts 5 pixels off."""


@dataclass(frozen=True)
class Breast:
    """What a cropper finds.

    Args:
        mask: On the image that it was given.
        face: Where the nipple points: ``right``, ``left`` or ``unknown``.
    """

    mask: Mask
    face: str

    def box(self, rows: int, columns: int) -> list[int]:
        """``x0, y0, x1, y1`` in the frame of the full image, half-open, rounded outwards.

        Args:
            rows: Height of the full image, pixels.
            columns: Width of the full image, pixels.
        """
        return breast_box(self.mask, rows, columns)


def find_breast(
    image: Float[np.ndarray, "height width"], cropper: CropperName = "p1"
) -> Breast | None:
    """Find the breast by a named rule.

    Args:
        image: Any linear grey scale with a dark background.
        cropper: A key of ``CROPPERS``.

    Returns:
        ``None`` if nothing but background is seen.
    """
    rule = CROPPERS[cropper]
    mask = rule.mask(image)
    if mask is None or mask.sum() < MIN_SHARE * mask.size:
        return None
    return Breast(mask, rule.face(mask))


def mask_p4(image: Float[np.ndarray, "height width"]) -> Mask | None:
    """Brighter than 5 % of the maximum; the largest contour, filled.

    Blanking what is outside is ``PreprocessConfig.outside``.

    References:
        End-to-end all-convolutional networks: PAPERS.md 4.5.
    """
    import cv2

    bright = (_eight_bit(image) > P4_THRESHOLD * 255).astype(np.uint8)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    filled = np.zeros(image.shape, np.uint8)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return np.asarray(filled, dtype=bool)


def mask_p5(image: Float[np.ndarray, "height width"]) -> Mask | None:
    """Without a strip at each border, brighter than 20 of 255; the largest component.

    The pectoral muscle stays in it: ``pectoral.pectoral_corner`` cuts it off.

    References:
        RSNA, multi-task and self-distillation: PAPERS.md 5.2.
    """
    import cv2

    strip = max(1, round(P5_BORDER * max(image.shape)))
    bright = np.zeros(image.shape, np.uint8)
    inner = (slice(strip, -strip), slice(strip, -strip))
    bright[inner] = _eight_bit(image)[inner] > P5_THRESHOLD
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(labels == best, dtype=bool)


@dataclass(frozen=True)
class Rule:
    """How a paper sees a breast.

    Args:
        mask: Finds it; ``None`` if nothing but background is seen.
        face: Tells from a mask where the nipple points: ``right``, ``left`` or ``unknown``.
    """

    mask: Callable[[np.ndarray[Any, Any]], Mask | None]
    face: Callable[[Mask], str] = pixels_face


CROPPERS: Final[Mapping[CropperName, Rule]] = {
    "p1": Rule(breast_mask),
    "p4": Rule(mask_p4),
    "p5": Rule(mask_p5, fuller_half),
}
"""Paper to rule. Of P1-A10, the buffer is ``PreprocessConfig.margin_px``, the fixed window
``PreprocessConfig.fit``."""


def _eight_bit(image: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Stretch the range to 0 to 255; a flat image is black."""
    low, high = float(image.min()), float(image.max())
    scaled: UInt8[np.ndarray, "height width"] = (
        (image - low) * (255.0 / max(high - low, 1e-9))
    ).astype(np.uint8)
    return scaled
