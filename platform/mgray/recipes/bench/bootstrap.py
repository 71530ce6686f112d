"""FAUC-1 of a whole test split on resampled patients, against drawing the patients alone."""

from typing import Final

import numpy as np

from mgray.metrics.area import fauc_statistic
from mgray.metrics.bootstrap import Patients, replicate
from mgray.metrics.config import BootstrapConfig
from mgray.metrics.outcomes import Outcomes
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.process import cost_alone

GOAL_S: Final = 60.0
GOAL_BYTES: Final = 4 * 10**9
POSITIVE: Final = 0.00136  # PAPERS.md 1.1: images with a malignant box, 1,648 of 1,214,501
MARKS: Final = 100  # detections kept of each image
OF_PATIENT: Final = 6  # images


def measure_bootstrap(config: BenchConfig) -> Measured:
    """Time the resampling, and the drawing of as many patients without looking at a mark."""
    ours, bare = [], []
    for _ in track(range(config.repeats), "time bootstrap", config.repeats, "turns"):
        ours.append(cost_alone(resample, config.images, config.replicates, config.seed))
        bare.append(cost_alone(draw_alone, config.images, config.replicates, config.seed))
    peak = max(cost.bytes for cost in ours)
    what = f"{config.replicates} resamples of FAUC-1, {config.images} images"
    met = "met" if peak <= GOAL_BYTES else "MISSED"
    seconds, floor = ([cost.seconds for cost in costs] for costs in (ours, bare))
    return Measured(
        [Comparison(what, "s", seconds, floor, goal=GOAL_S)],
        {"bootstrap": peak},
        [f"peak memory of {what}: {peak / 1e9:.2f} GB, goal {GOAL_BYTES / 1e9:g} GB {met}"],
    )


def resample(images: int, replicates: int, seed: int) -> np.ndarray:
    """Make the marks, and measure FAUC-1 on every resample."""
    outcomes, patients = make_split(images, seed)
    statistic = fauc_statistic(outcomes)
    return replicate([statistic], patients, BootstrapConfig(replicates=replicates, seed=seed))


def draw_alone(images: int, replicates: int, seed: int) -> np.ndarray:
    """Make the same marks, and only draw."""
    patients = make_split(images, seed)[1]
    config = BootstrapConfig(replicates=replicates, seed=seed)
    return replicate([lambda weights: weights[:, 0]], patients, config)


def make_split(images: int, seed: int) -> tuple[Outcomes, Patients]:
    """Make up what a model does on a test split: FAUC-1 about 0.6, most marks of low score."""
    rng = np.random.default_rng(seed)
    lesions = np.sort(rng.choice(images, max(1, round(POSITIVE * images)), replace=False))
    hit = rng.random(len(lesions)) < 0.85
    outcomes = Outcomes(
        np.where(hit, rng.beta(4, 3, len(lesions)), -np.inf),
        lesions,
        rng.beta(1, 8, MARKS * images),
        rng.integers(0, images, MARKS * images),
        images,
    )
    of_image = np.arange(images) // OF_PATIENT
    return outcomes, Patients(of_image, np.bincount(of_image, outcomes.positive) > 0)
