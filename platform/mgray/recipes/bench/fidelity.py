"""What a small size of the table keeps, against full decode and area average."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from mgray.dicom.codecs import decode_htj2k, encode_htj2k

DOTS_PX: Final = (2.0, 4.0, 6.0)
"""Diameters of calcifications put in, pixels at full size."""
DOTS: Final = 100
STRENGTH: Final = 400.0


def fidelity_lines(
    stored: Int[np.ndarray, "height width"], breast: Bool[np.ndarray, "height width"], bits: int
) -> Iterator[str]:
    """One line for each size: PSNR in the breast, contrast of dots for both ways.

    Args:
        stored: Stored values.
        breast: Where to look.
        bits: Of the peak.
    """
    for reduce in (1, 2):
        low, area = both(stored, reduce)
        inside = _area(breast.astype(np.float32), reduce) > 0.999
        error = float(((shifted(low, reduce) - area)[inside] ** 2).mean())
        psnr = 10 * np.log10((2**bits - 1) ** 2 / max(error, 1e-12))
        kept = ", ".join(
            f"{size:g} px {low_kept:.2f} ({area_kept:.2f})"
            for size in DOTS_PX
            for low_kept, area_kept in [contrast(stored, breast, size, reduce)]
        )
        yield f"1/{2**reduce}: PSNR {psnr:.1f} dB; contrast of dots (area average): {kept}"


def both(
    stored: Int[np.ndarray, "height width"], reduce: int
) -> tuple[Float[np.ndarray, "small_h small_w"], Float[np.ndarray, "small_h small_w"]]:
    """The low-pass band and the area average; sides that ``2**reduce`` divides only are kept."""
    step = 2**reduce
    cut = stored[: len(stored) // step * step, : stored.shape[1] // step * step]
    low = decode_htj2k(encode_htj2k(cut), reduce).astype(np.float32)
    return low, _area(cut.astype(np.float32), reduce)


def shifted(
    low: Float[np.ndarray, "height width"], reduce: int
) -> Float[np.ndarray, "height width"]:
    """Bring the band's samples to the middles of the blocks that an area average covers."""
    import cv2

    shift = (1 - 2.0**-reduce) / 2
    matrix = np.array([[1.0, 0.0, shift], [0.0, 1.0, shift]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(low, matrix, low.shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def contrast(
    stored: Int[np.ndarray, "height width"],
    breast: Bool[np.ndarray, "height width"],
    diameter: float,
    reduce: int,
) -> tuple[float, float]:
    """Mean peak of single dots, share of their own: of the band and of the area average."""
    random = np.random.default_rng(0)
    y, x = np.nonzero(breast[32:-32:64, 32:-32:64])  # on a grid, so that no two dots meet
    centres = 32 + 64 * np.stack([y, x], 1)[:DOTS] + random.uniform(-8, 8, (len(y[:DOTS]), 2))
    dotted = stored.astype(np.float32)
    grid = np.arange(-8, 9)
    for cy, cx in centres:
        iy, ix = int(cy), int(cx)
        far = np.hypot((grid + iy - cy)[:, None], grid + ix - cx)
        dot = STRENGTH * np.clip(diameter / 2 + 0.5 - far, 0, 1)
        dotted[iy - 8 : iy + 9, ix - 8 : ix + 9] += dot
    plain = both(stored, reduce)
    with_dots = both(np.rint(dotted).astype(np.int32), reduce)
    peaks = []
    for dots, none in zip(with_dots, plain, strict=True):
        signal, reach = dots - none, 24 >> reduce
        places = (centres / 2**reduce).astype(int)
        tops = (np.maximum(places - reach, 0), places + reach)
        found = [signal[a:c, b:d].max() for (a, b), (c, d) in zip(*tops, strict=True)]
        peaks.append(float(np.mean(found)) / STRENGTH)
    return peaks[0], peaks[1]


def _area(image: Float[np.ndarray, "height width"], reduce: int) -> Float[np.ndarray, "h w"]:
    step = 2**reduce
    height, width = (side // step for side in image.shape)
    blocks = image[: height * step, : width * step].reshape(height, step, width, step)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
