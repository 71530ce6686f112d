"""Where the breast is: the largest bright component, found on a small copy."""

import base64
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

LONG_SIDE = 512
EROSION = 100 / 4096
"""Share of the long side: P1's code erodes and dilates 100 times, a pixel each, at 4096 rows."""
MASK_SIDE = 64
"""Cells of a packed mask, each way."""
MIN_CONTRAST = 0.05
"""Nearly all pixels within this share of the image's range: there are only specks on air."""
MIN_SHARE = 0.01
"""A component below this share of the image is no breast."""


def breast_mask(
    image: Float[np.ndarray, "height width"],
) -> Bool[np.ndarray, "height width"] | None:
    """Find the breast: threshold, erosion, largest component, dilation.

    Erosion takes thin strips and labels off. Other than the paper's code, which takes all above 0,
    the threshold holds where air is not 0, and the nipple that erosion took off is given back.

    Args:
        image: Any linear grey scale with a dark background.

    Returns:
        None if nothing but background is seen.

    References:
        Complementary representations: PAPERS.md P1-A10.
    """
    import cv2

    low, high = np.percentile(image, [1.0, 99.5])
    if high - low <= MIN_CONTRAST * (image.max() - image.min()):
        return None
    scaled = (np.clip((image - low) / (high - low), 0.0, 1.0) * 255.0).astype(np.uint8)
    mask = (cv2.GaussianBlur(scaled, (5, 5), 0) > _threshold(scaled)).astype(np.uint8)
    times = max(1, round(EROSION * max(image.shape)))
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    eroded = cv2.erode(mask, cross, iterations=times, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(eroded, ltype=cv2.CV_16U)
    if count < 2:
        return None
    largest = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    dilated = cv2.dilate(largest, cross, iterations=times)
    if dilated.sum() < MIN_SHARE * mask.size:
        return None
    return np.asarray(cv2.dilate(dilated, cross, iterations=times) & mask, dtype=bool)


def breast_box(mask: Bool[np.ndarray, "height width"], rows: int, columns: int) -> list[int]:
    """Bound the breast in the full image: x0, y0, x1, y1, half-open, rounded outwards."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    sy, sx = rows / mask.shape[0], columns / mask.shape[1]
    return [
        max(0, int(np.floor(xs[0] * sx))),
        max(0, int(np.floor(ys[0] * sy))),
        min(columns, int(np.ceil((xs[-1] + 1) * sx))),
        min(rows, int(np.ceil((ys[-1] + 1) * sy))),
    ]


def pack_mask(mask: Bool[np.ndarray, "height width"]) -> str:
    """Make the text of a mask cut to its box, ``MASK_SIDE`` cells a side.

    Returns:
        Base64 of the lengths of runs, row by row, a byte each: outside, breast, outside ...
    """
    import cv2

    x0, y0, x1, y1 = breast_box(mask, *mask.shape)
    cut = mask[y0:y1, x0:x1].astype(np.float32)
    cells = cv2.resize(cut, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA).ravel() >= 0.5
    edges = [0, *(1 + np.flatnonzero(cells[1:] != cells[:-1])).tolist(), cells.size]
    runs = [0] * bool(cells[0]) + np.diff(edges).tolist()
    lengths = [length for run in runs for length in ([255, 0] * (run // 255) + [run % 255])]
    return base64.b64encode(bytes(lengths)).decode()


def unpack_mask(text: str) -> Bool[np.ndarray, "64 64"]:
    """Read what ``pack_mask`` made."""
    lengths = np.frombuffer(base64.b64decode(text), np.uint8)
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(MASK_SIDE, MASK_SIDE)


def pixels_face(mask: Bool[np.ndarray, "height width"]) -> str:
    """Tell where the nipple points: right, left or unknown.

    The chest wall is the side of the breast's box on which more rows are filled.
    """
    xs = np.flatnonzero(mask.any(axis=0))
    box = mask[:, xs[0] : xs[-1] + 1]
    strip = max(1, box.shape[1] // 10)
    left, right = int(box[:, :strip].sum()), int(box[:, -strip:].sum())
    if max(left, right) < 1.5 * min(left, right):
        return "unknown"
    return "right" if left > right else "left"


def fuller_half(mask: Bool[np.ndarray, "height width"]) -> str:
    """Tell where the nipple points as P5 does: away from the half of the image that holds more."""
    middle = mask.shape[1] // 2
    return "left" if mask[:, :middle].sum() < mask[:, middle:].sum() else "right"


def small_copy(image: np.ndarray[Any, np.dtype[Any]]) -> Float[np.ndarray, "height width"]:
    """Shrink by area averaging so that the long side is at most ``LONG_SIDE``.

    Whole halves first, in 16 bits and so rounded to whole numbers: the same area at a fifth of the
    time.
    """
    import cv2

    scale = min(1.0, LONG_SIDE / max(image.shape))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    halved = image if image.dtype in (np.uint16, np.int16) else image.astype(np.float32)
    while max(halved.shape) >= 2 * LONG_SIDE and not any(side % 2 for side in halved.shape):
        half = (halved.shape[1] // 2, halved.shape[0] // 2)
        halved = cv2.resize(halved, half, interpolation=cv2.INTER_AREA)
    small: Float[np.ndarray, "height width"] = cv2.resize(
        halved.astype(np.float32), size, interpolation=cv2.INTER_AREA
    )
    return small


def _threshold(scaled: np.ndarray[Any, np.dtype[np.uint8]]) -> float:
    """Put the threshold a sixth of the way from the background's peak to Otsu's value."""
    import cv2

    otsu, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    background = scaled[scaled <= otsu]
    peak = float(np.bincount(background, minlength=256).argmax()) if background.size else 0.0
    return peak + max(2.0, (otsu - peak) / 6.0)
