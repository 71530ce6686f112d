"""Confidence intervals from resampled patients.

A replicate draws as many positive and as many negative patients as there are, with replacement
(stratified), and takes all images of a patient drawn. One patient alone in a stratum tells nothing
of how patients differ: there are then no replicates, and no interval. Every statistic sees the same
draws, so differences between models are paired. Draws depend on the seed and the replicate's number
only.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtr, ndtri

from mgray.metrics.area import Statistic, Weights
from mgray.metrics.config import BootstrapConfig

CHUNK: Final = 16  # replicates at a time: few enough that the arrays stay in the cache
LEVEL: Final = 0.95


@dataclass(frozen=True)
class Patients:
    """Who is drawn.

    Attributes:
        of_image: Number of each image's patient.
        positive: Whether the patient has an image with a lesion.
    """

    of_image: Int[np.ndarray, " image"]
    positive: Bool[np.ndarray, " patient"]

    @property
    def vary(self) -> bool:
        """Whether resamples know of a spread: who is alone in a stratum is drawn every time."""
        return 1 not in np.bincount(self.positive.astype(int))


def group_patients(ids: Sequence[str], positive: Bool[np.ndarray, " image"]) -> Patients:
    """Number the patients in order of their ids and call one positive when any image is."""
    _, of_image = np.unique(np.asarray(ids, dtype=str), return_inverse=True)
    return Patients(of_image, np.bincount(of_image, weights=positive) > 0)


@dataclass(frozen=True)
class Resampled:
    """A statistic on the data, on every resample, and with each patient left out.

    Attributes:
        point: On the data itself.
        drawn: Replicates.
        left_out: Only for BCa; None gives percentile intervals.
    """

    point: float
    drawn: Float[np.ndarray, " replicate"]
    left_out: Float[np.ndarray, " patient"] | None = None

    def __sub__(self, other: "Resampled") -> "Resampled":
        """The paired difference: both have seen the same patients."""
        left_out = None
        if self.left_out is not None and other.left_out is not None:
            left_out = self.left_out - other.left_out
        return Resampled(self.point - other.point, self.drawn - other.drawn, left_out)

    def interval(self) -> tuple[float, float] | None:
        """95 %, BCa where patients were left out, else percentile."""
        if self.left_out is None:
            return percentile_interval(self.drawn)
        return bca_interval(self.drawn, self.point, self.left_out)


def resample(
    statistics: Sequence[Statistic], patients: Patients, config: BootstrapConfig
) -> list[Resampled]:
    """Every statistic with all that its interval needs."""
    drawn = replicate(statistics, patients, config)
    whole = np.ones((1, len(patients.of_image)))
    left_out = jackknife(statistics, patients) if config.method == "bca" else None
    return [
        Resampled(float(one(whole)[0]), drawn[row], None if left_out is None else left_out[row])
        for row, one in enumerate(statistics)
    ]


def replicate(
    statistics: Sequence[Statistic],
    patients: Patients,
    config: BootstrapConfig,
    threads: int | None = None,
) -> Float[np.ndarray, "statistic replicate"]:
    """Every statistic on every resample; the values do not depend on the number of threads.

    No replicates where the patients do not vary.

    Args:
        statistics: Functions of image weights.
        patients: Who is drawn.
        config: How often.
        threads: How many chunks are computed at once; by default one for each core.
    """
    chunks = _each(lambda w: np.stack([one(w) for one in statistics]), patients, config, threads)
    return np.concatenate(chunks, axis=1) if chunks else np.zeros((len(statistics), 0))


def jackknife(
    statistics: Sequence[Statistic], patients: Patients, threads: int | None = None
) -> Float[np.ndarray, "statistic patient"]:
    """Every statistic with one patient left out, for the BCa interval."""
    count = len(patients.positive)

    def chunk(start: int) -> Float[np.ndarray, "statistic _"]:
        left_out = np.arange(start, min(start + CHUNK, count))
        weights = (patients.of_image[:, None] != left_out).astype(float).T
        return np.stack([statistic(weights) for statistic in statistics])

    with ThreadPoolExecutor(threads or _cores()) as pool:
        return np.concatenate(list(pool.map(chunk, range(0, count, CHUNK))), axis=1)


def resamples(patients: Patients, config: BootstrapConfig) -> Iterator[Weights]:
    """How often each image is drawn, in chunks of replicates."""
    for start in range(0, config.replicates, CHUNK):
        yield _resample(patients, config, start)


def percentile_interval(values: Float[np.ndarray, " replicate"]) -> tuple[float, float] | None:
    """The middle 95 % of the replicates; None without replicates or where one is undefined."""
    if not len(values) or not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def percentile_band(
    statistic: Callable[[Weights], Float[np.ndarray, "replicate grid"]],
    patients: Patients,
    config: BootstrapConfig,
) -> Float[np.ndarray, "2 grid"] | None:
    """Pointwise middle 95 % of a curve; None without replicates or where one is undefined."""
    parts = _each(statistic, patients, config)
    if not parts or not all(np.isfinite(part).all() for part in parts):
        return None
    edges = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    band: Float[np.ndarray, "2 grid"] = np.quantile(np.concatenate(parts), edges, axis=0)
    return band


def bca_interval(
    values: Float[np.ndarray, " replicate"], point: float, left_out: Float[np.ndarray, " patient"]
) -> tuple[float, float] | None:
    """Bias-corrected and accelerated interval.

    Args:
        values: Replicates.
        point: The statistic on the data itself.
        left_out: The statistic with each patient left out.

    References:
        Efron, J. Am. Stat. Assoc. 82 (1987) 171; acceleration from an unstratified jackknife.
    """
    if not len(values) or not np.isfinite(values).all() or not np.isfinite(left_out).all():
        return None
    below = (np.mean(values < point) + np.mean(values <= point)) / 2
    if not 0 < below < 1:
        return percentile_interval(values)
    bias, spread = ndtri(below), left_out.mean() - left_out
    scale = 6 * (spread**2).sum() ** 1.5
    acceleration = (spread**3).sum() / scale if scale else 0.0
    shifted = bias + ndtri(np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    low, high = np.quantile(values, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)


def _each(
    work: Callable[[Weights], np.ndarray],
    patients: Patients,
    config: BootstrapConfig,
    threads: int | None = None,
) -> list[np.ndarray]:
    """Do the work on each chunk of resamples, several at once: NumPy and SciPy free the lock."""
    if not patients.vary:
        return []
    with ThreadPoolExecutor(threads or _cores()) as pool:
        starts = range(0, config.replicates, CHUNK)
        return list(pool.map(lambda start: work(_resample(patients, config, start)), starts))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _resample(patients: Patients, config: BootstrapConfig, start: int) -> Weights:
    """One chunk; image by image in memory, as the statistics read it."""
    rng = np.random.default_rng((config.seed, start))
    counts = np.zeros((len(patients.positive), CHUNK))
    for stratum in (np.flatnonzero(patients.positive), np.flatnonzero(~patients.positive)):
        counts[stratum] = _draw_counts(rng, len(stratum)).T
    weights: Weights = counts[:, : config.replicates - start][patients.of_image].T
    return weights


def _draw_counts(rng: np.random.Generator, count: int) -> Float[np.ndarray, "_ _"]:
    if not count:
        return np.zeros((CHUNK, 0))
    drawn = rng.integers(0, count, (CHUNK, count)) + np.arange(CHUNK)[:, None] * count
    return np.bincount(drawn.ravel(), minlength=CHUNK * count).reshape(CHUNK, count).astype(float)
