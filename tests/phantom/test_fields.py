import numpy as np
import pytest

from mgray.phantom.fields import (
    Lattice,
    band,
    blur,
    correlated_slices,
    power_law,
    resize,
    smooth_step,
    soft_step,
    stream,
    white_noise,
)

LATTICE = Lattice(3, 128, 128, 0.5, 5.0)
NOISE = white_noise(np.random.default_rng(0), LATTICE)


def radial_slope(image: np.ndarray, pixel_mm: float, low: float, high: float) -> float:
    """Exponent of the power spectrum between two frequencies."""
    power = np.abs(np.fft.fft2(image)) ** 2
    fy = np.fft.fftfreq(image.shape[0], pixel_mm)[:, None]
    fx = np.fft.fftfreq(image.shape[1], pixel_mm)[None]
    f = np.hypot(fy, fx)
    chosen = (f > low) & (f < high)
    return float(np.polyfit(np.log(f[chosen]), np.log(power[chosen]), 1)[0])


def test_streams_depend_on_key_and_purpose_only() -> None:
    first = stream((1, 2), "tissue", "CC").random(4)
    assert np.array_equal(first, stream((1, 2), "tissue", "CC").random(4))
    others = [stream((1, 3), "tissue", "CC"), stream((1, 2), "dbt", "CC")]
    assert all(not np.array_equal(first, other.random(4)) for other in others)


def test_a_field_has_unit_sd_and_no_mean() -> None:
    field = correlated_slices(NOISE, LATTICE, power_law(1.4, 45.0))
    assert field.shape == (3, 128, 128)
    assert field.std() == pytest.approx(1, abs=1e-3)
    assert field.mean() == pytest.approx(0, abs=1e-3)


def test_power_falls_with_twice_the_amplitude_exponent() -> None:
    field = correlated_slices(NOISE, LATTICE, power_law(1.5, 1000.0))
    assert radial_slope(field[0], 0.5, 0.05, 0.8) == pytest.approx(-3.0, abs=0.15)


def test_without_decoherence_all_slices_are_equal() -> None:
    field = correlated_slices(NOISE, LATTICE, power_law(1.4, 45.0), coherence=0.0)
    assert field[0] == pytest.approx(field[2], abs=1e-5)


def test_fine_structures_lose_coherence_first() -> None:
    def agreement(period_mm: float) -> float:
        field = correlated_slices(NOISE, LATTICE, band(period_mm, 0.3), coherence=0.3)
        return float(np.corrcoef(field[0].ravel(), field[1].ravel())[0, 1])

    assert agreement(40.0) > agreement(5.0) + 0.3


def test_stretch_makes_structures_longer_along_x() -> None:
    field = correlated_slices(NOISE, LATTICE, band(6.0, 0.3), stretch=3.0)[0]
    across, along = np.abs(np.diff(field, axis=0)).mean(), np.abs(np.diff(field, axis=1)).mean()
    assert across > 2 * along


def test_wide_blur_on_a_coarse_grid_agrees_with_the_exact_one() -> None:
    image = correlated_slices(NOISE, LATTICE, power_law(1.4, 45.0))[0]
    exact = blur(blur(image, 11.0), 11.0)  # sigma 15.6 in two exact steps
    inner = np.s_[40:-40, 40:-40]
    assert blur(image, 11.0 * 2**0.5)[inner] == pytest.approx(exact[inner], abs=0.1)


def test_a_tiny_blur_is_none() -> None:
    image = np.eye(8, dtype=np.float32)
    assert blur(image, 0.2) is image


def test_shrinking_takes_the_area_mean() -> None:
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert resize(image, (2, 2)).tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_steps_rise_from_zero_to_one() -> None:
    x = np.array([-9.0, 0.0, 9.0])
    assert smooth_step(x).tolist() == [0, 0, 1]
    assert soft_step(x) == pytest.approx([0, 0.5, 1], abs=0.01)
