"""Uncertainty over training seeds and patients together.

One run says what one training made of it; another seed gives another model. The mean over seeds is
reported, and a replicate draws patients and seeds, both with replacement. Few seeds know little of
their own spread: with three, the interval is too narrow rather than too wide.
"""

from collections.abc import Sequence

import numpy as np

from mgray.metrics.bootstrap import Resampled

_STREAM = 1  # of random numbers; the patients' are drawn elsewhere


def over_seeds(runs: Sequence[Resampled], seed: int) -> Resampled:
    """Average a statistic over training seeds; replicates also draw the seeds.

    Args:
        runs: One for each training seed, all on the same resampled patients.
        seed: Of the drawn seeds; equal for statistics that are to be paired.
    """
    point = float(np.mean([run.point for run in runs]))
    drawn = np.stack([run.drawn for run in runs])
    count, replicates = drawn.shape
    chosen = np.random.default_rng((seed, _STREAM)).integers(0, count, (count, replicates))
    return Resampled(point, np.take_along_axis(drawn, chosen, axis=0).mean(axis=0))
