"""What the runs of an experiment found: FAUC-1 of every arm over seeds, paired with SM's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from mgray.metrics.area import Statistic, fauc_statistic, on_positive
from mgray.metrics.bootstrap import Resampled, resample
from mgray.metrics.complementarity import gap_closed
from mgray.metrics.config import BootstrapConfig
from mgray.metrics.outcomes import Outcomes, select_lesions
from mgray.metrics.seeds import over_seeds
from mgray.reports.cases import Cases, visibility

FULL: Final = "full"
SHOWS: Final = ("both", "ffdm", "sm", "neither")
Row = dict[str, Any]
Key = tuple[str, str]
"""Arm and model."""


def measure(cases: Cases, config: BootstrapConfig) -> list[Row]:
    """Compare the models of all runs on the same resampled patients.

    Args:
        cases: Models are named ``seed/arm/model``; SM and upper bound of an arm that has none are
            the full arm's.
        config: Of the resamples.

    Returns:
        One row for each arm and model: FAUC-1 on positive images (``plus``) and on all, its
        intervals and values of each seed; for fused models the difference to SM, to the full arm,
        and the gap closed, on positive images.
    """
    runs = _runs(cases)
    plus = {key: [_plus(cases.outcomes[name]) for name in names] for key, names in runs.items()}
    whole = {key: [fauc_statistic(cases.outcomes[n]) for n in names] for key, names in runs.items()}
    held = _resampled(plus, cases, config)
    means = {key: over_seeds(found, config.seed) for key, found in held.items()}
    everyone = _resampled(whole, cases, config)
    rows = []
    for key, names in runs.items():
        rows.append(
            {
                "arm": key[0],
                "model": key[1],
                "seeds": [name.split("/")[0] for name in names],
                **_facts("plus", means[key]),
                "plus_by_seed": [found.point for found in held[key]],
                **_facts("all", over_seeds(everyone[key], config.seed)),
                **{f"plus_{shows}": _where(cases, names, shows) for shows in SHOWS},
                **(_effects(key[0], means) if key[1] == "fused" else {}),
            }
        )
    return rows


def _effects(arm: str, means: Mapping[Key, Resampled]) -> Row:
    """How far the arm's fused model goes from SM towards the upper bound, and behind the full."""
    fused, sm = means[arm, "fused"], means.get((arm, "sm"), means[FULL, "sm"])
    bound = means.get((arm, "upper_bound"), means[FULL, "upper_bound"])
    facts = _facts("gain", fused - sm)
    if arm != FULL:
        facts |= _facts("full_minus", means[FULL, "fused"] - fused)
    known = {"sm": sm, "fused": fused, "upper_bound": bound}
    gap = gap_closed({k: v.point for k, v in known.items()}, {k: v.drawn for k, v in known.items()})
    return facts | {"gap": gap.value, "gap_ci95": gap.ci95}


def _runs(cases: Cases) -> dict[Key, list[str]]:
    """Names of the models by arm and model, seeds in order, as many as every arm has."""
    found: dict[Key, list[str]] = {}
    for name in cases.outcomes:
        _, arm, model = name.split("/")
        found.setdefault((arm, model), []).append(name)
    return found


def _resampled(
    statistics: Mapping[Key, Sequence[Statistic]], cases: Cases, config: BootstrapConfig
) -> dict[Key, list[Resampled]]:
    flat = [one for group in statistics.values() for one in group]
    found = iter(resample(flat, cases.patients, config))
    return {key: [next(found) for _ in group] for key, group in statistics.items()}


def _plus(outcomes: Outcomes) -> Statistic:
    return on_positive(outcomes, fauc_statistic)


def _where(cases: Cases, names: Iterable[str], shows: str) -> float | None:
    """Mean FAUC-1 of the lesions that show in the named kind only, on the images with one."""
    values = []
    for name in names:
        outcomes = cases.outcomes[name]
        chosen = np.array(visibility(cases, name)) == shows
        if not chosen.any():
            return None
        area = _plus(select_lesions(outcomes, chosen))
        values.append(float(area(np.ones((1, outcomes.images)))[0]))
    return float(np.mean(values))


def _facts(name: str, found: Resampled) -> Row:
    return {name: found.point, f"{name}_ci95": found.interval()}
