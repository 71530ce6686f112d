"""From log signal to "for presentation" grey levels: detail boost, then one sigmoid per image.

The sigmoid is set from quantiles of the image itself, so it cannot tell of a finding more than the
finding's own pixels.
"""

import numpy as np
from jaxtyping import Bool

from mgray.phantom.fields import Image, blur, resize
from mgray.phantom.geometry import Shape
from mgray.phantom.tissue import FAT, SKIN, SKIN_MM

NARROWEST = 0.75
"""log signal over which the sigmoid rises at least, so that a fatty breast stays dark"""


def boost(signal: Image, pixel_mm: float, fine: float, coarse: float) -> Image:
    """Lift detail below 0.45 mm and below 4.5 mm; the skin's share is taken off."""
    signal = signal - np.float32(2 * (SKIN - FAT) * SKIN_MM)
    detail = signal - blur(signal, 0.45 / pixel_mm)
    structure = signal - blur(signal, 4.5 / pixel_mm)
    lifted = signal + np.float32(fine) * detail + np.float32(coarse) * structure
    return np.asarray(lifted, np.float32)


def grey_levels(signal: Image, inner: Bool[np.ndarray, "height width"]) -> Image:
    """Map log signal to 0.06-0.96, by quantiles over the tissue ``inner``."""
    values = signal[::4, ::4][inner[::4, ::4]]
    low, high = np.quantile(values, [0.03, 0.985])
    width = max(float(high - low), NARROWEST)
    middle = float(low) + width / 2
    rise = (signal - np.float32(middle)) * np.float32(1.55 / width)
    return np.asarray(0.51 + 0.45 * np.tanh(rise), np.float32)


def inner_tissue(shape: Shape) -> Bool[np.ndarray, "height width"]:
    """What sets the grey scale: neither skin nor muscle."""
    return (shape.distance_mm > 4) & (shape.pectoral < 0.1)


def soft_mask(shape: Shape, size: tuple[int, int]) -> Image:
    """1 in the breast, 0 outside, with an edge of about a pixel, at another size."""
    smooth = blur(shape.inside.astype(np.float32), 1.6)
    return np.asarray(np.clip(resize(smooth, size, cubic=True) * 3 - 1, 0, 1), np.float32)
