"""Where P5 cuts the pectoral muscle off: the corner of the image beyond one straight edge."""

from typing import Final

import numpy as np
from jaxtyping import Bool, UInt8

P5_LONG_SIDE: Final = 1024
"""Of P5's images, pixels: a quarter of 4096."""
SIGMA: Final = 2.25
"""Of the Gauss before Canny, pixels of P5's image."""
WEAK, STRONG = 0.1 * 255, 0.2 * 255
"""Canny's thresholds: a tenth and a fifth of the range."""
ANGLES: Final = (1.0, 89.0)
"""Of the edge's normal to the rows, degrees."""
DISTANCES: Final = (1.0, 384.0)
"""Of the edge from the corner, pixels of P5's image."""
APART_PX, APART_DEGREES = 9.0, 10.0
"""A weaker line that is nearer than both to a stronger one is that one."""
FINE: Final = 16
"""Gradients are kept to so much of a grey level."""


def pectoral_corner(
    image: UInt8[np.ndarray, "height width"],
) -> tuple[float, float] | None:
    """Find the corner at the chest wall that P5 takes for the pectoral muscle.

    Canny's edges, Sobel of them, Hough's lines with at least half of the best one's votes; of those
    that cut the corner off, the nearest to it.

    Args:
        image: A breast's box, chest wall at the left; of an image as large as P5's.

    Returns:
        Where the edge meets the top and the left side: x and y, pixels of ``image``; ``None`` if
        there is no such line.

    References:
        RSNA, multi-task and self-distillation: PAPERS.md 5.2.
    """
    found = [
        (distance, angle)
        for distance, angle in _lines(_edges(image))
        if ANGLES[0] <= angle <= ANGLES[1] and DISTANCES[0] <= distance <= DISTANCES[1]
    ]
    if not found:
        return None
    distance, angle = min(found)
    return distance / np.cos(np.radians(angle)), distance / np.sin(np.radians(angle))


def corner_mask(
    shape: tuple[int, int], corner: tuple[float, float]
) -> Bool[np.ndarray, "height width"]:
    """Fill the triangle between the top left corner and an edge.

    Args:
        shape: Of the mask.
        corner: Where the edge meets the top and the left side: x and y, pixels of the mask.
    """
    x, y = (np.arange(side) + 0.5 for side in shape[::-1])
    return np.asarray(x / corner[0] + y[:, None] / corner[1] < 1.0, dtype=bool)


def _edges(image: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Pixels in whose neighbourhood Canny's edges change."""
    import cv2

    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), SIGMA)
    slopes = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, ksize=3) * FINE for dx in (1, 0))
    dx, dy = (np.rint(slope).astype(np.int16) for slope in slopes)
    canny = cv2.Canny(dx, dy, WEAK * FINE, STRONG * FINE, L2gradient=True)
    along, across = (cv2.Sobel(canny, cv2.CV_16S, dx, 1 - dx, ksize=3) for dx in (1, 0))
    return np.asarray((along != 0) | (across != 0), dtype=np.uint8)


def _lines(edges: UInt8[np.ndarray, "height width"]) -> list[tuple[float, float]]:
    """Distance from the top left corner, pixels, and angle, degrees, of each prominent line."""
    import cv2

    found = cv2.HoughLinesWithAccumulator(edges, 1, np.pi / 180, 1)
    if found is None:
        return []
    votes = found.reshape(-1, 3)[np.argsort(-found.reshape(-1, 3)[:, 2], kind="stable")]
    kept: list[tuple[float, float]] = []
    for distance, radians, _ in votes[votes[:, 2] >= votes[0, 2] / 2].tolist():
        angle = float(np.degrees(radians))
        if not any(
            abs(distance - other) <= APART_PX and abs(angle - turned) <= APART_DEGREES
            for other, turned in kept
        ):
            kept.append((distance, angle))
    return kept
