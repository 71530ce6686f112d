"""Seeded random fields and the few image operations the phantom is made of.

All lengths are in mm, spatial frequencies in 1/mm, arrays float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

import cv2
import numpy as np
from jaxtyping import Complex64, Float, Float32
from scipy import fft

cv2.setNumThreads(1)  # one process per core is faster, and the result never depends on the machine

Image = Float32[np.ndarray, "height width"]
Resampled = Float32[np.ndarray, "new_height new_width"]
Amplitude = Callable[[Float32[np.ndarray, "height width"]], Float[np.ndarray, "height width"]]


def stream(key: Sequence[int], *purpose: str) -> np.random.Generator:
    """A random stream of its own for every purpose, so that adding one never moves another."""
    return np.random.default_rng([*key, *(crc32(word.encode()) for word in purpose)])


@dataclass(frozen=True)
class Lattice:
    """Slices of a 3-D field: number, height, width and the two spacings in mm."""

    slices: int
    height: int
    width: int
    pixel_mm: float
    slice_mm: float


def white_noise(
    rng: np.random.Generator, lattice: Lattice
) -> Complex64[np.ndarray, "slice height half"]:
    """Complex white noise in the half plane of a real Fourier transform."""
    shape = (lattice.slices, lattice.height, lattice.width // 2 + 1, 2)
    return rng.standard_normal(shape, dtype=np.float32).view(np.complex64)[..., 0]


def correlated_slices(
    noise: Complex64[np.ndarray, "slice height half"],
    lattice: Lattice,
    amplitude: Amplitude,
    *,
    stretch: float = 1.0,
    coherence: float = 0.8,
) -> Float32[np.ndarray, "slice height width"]:
    """Slices of a random field with unit sd and the given in-plane spectrum.

    Neighbouring slices agree by ``exp(-2 pi f slice_mm coherence)``: large structures run through
    several slices, small ones do not.

    Args:
        noise: From ``white_noise``.
        lattice: Size of the result.
        amplitude: Spectrum over the radial frequency.
        stretch: Structures are longer along x by this factor.
        coherence: 0 makes all slices equal, large values independent.
    """
    f = _radial_frequency(lattice, stretch)
    a = np.asarray(amplitude(f), np.float32)
    a[0, 0] = 0
    keep = np.exp(-2 * np.pi * f * lattice.slice_mm * coherence).astype(np.float32)
    fresh = np.sqrt(1 - keep * keep)
    spectrum = np.empty_like(noise)
    spectrum[0] = noise[0]
    for k in range(1, lattice.slices):
        spectrum[k] = keep * spectrum[k - 1] + fresh * noise[k]
    field = fft.irfft2(spectrum * a, s=(lattice.height, lattice.width), axes=(1, 2))
    return np.asarray(field / field.std(), np.float32)


def power_law(exponent: float, corner_mm: float) -> Amplitude:
    """``f ** -exponent`` in amplitude, flat for structures above ``corner_mm``."""
    return lambda f: (f * f + (1 / corner_mm) ** 2) ** (-exponent / 2)


def band(period_mm: float, octaves: float) -> Amplitude:
    """A log-normal band around one period, with equal energy per octave."""
    return lambda f: (
        np.exp(-0.5 * (np.log(np.maximum(f, 1e-4) * period_mm) / octaves) ** 2)
        / np.maximum(f, 1e-3)
    )


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur with ``sigma`` in pixels; wide ones on a coarser grid."""
    if sigma < 0.25:
        return image
    if sigma <= 12:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))
    step = max(2, int(sigma / 4))
    height, width = image.shape
    small = resize(image, (max(8, height // step), max(8, width // step)))
    return resize(blur(small, sigma / step), (height, width))


def resize(image: Image, shape: tuple[int, int], *, cubic: bool = False) -> Resampled:
    """Resample to ``(height, width)``: area mean when shrinking, else linear or cubic."""
    if image.shape == shape:
        return image
    if shape[0] < image.shape[0]:
        how = cv2.INTER_AREA
    else:
        how = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=how))


def smooth_step(x: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """0 below 0, 1 above 1, with a smooth rise between."""
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def soft_step(x: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """A cheap sigmoid from 0 to 1."""
    return np.asarray(0.5 + 0.5 * x / np.sqrt(1 + x * x))


def _radial_frequency(lattice: Lattice, stretch: float) -> Float32[np.ndarray, "height half"]:
    fy = fft.fftfreq(lattice.height, lattice.pixel_mm)[:, None]
    fx = fft.rfftfreq(lattice.width, lattice.pixel_mm)[None] * stretch
    return np.sqrt(fy * fy + fx * fx).astype(np.float32)
