"""All numbers of a report, as one plain dict ready for strict JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from mgray.metrics.area import Statistic, fauc_statistic, on_positive
from mgray.metrics.bootstrap import Resampled, resample
from mgray.metrics.complementarity import (
    buckets,
    gap_closed,
    outcome_sums,
    outcome_table,
    sensitivity_by,
)
from mgray.metrics.config import Interpolation
from mgray.metrics.froc import fauc, froc
from mgray.metrics.operating import operate, operating_threshold
from mgray.metrics.outcomes import Outcomes, by_image, false_marks, images_hit, select
from mgray.metrics.roc import DeLong, auc_statistic, delong
from mgray.reports.cases import Cases, image_scores, visibility
from mgray.reports.config import EvaluateConfig
from mgray.reports.subgroups import subgroup_tables

FORMS: Final = ("fauc_1", "fauc_1_plus", "auc")
GAPS: Final = FORMS[:2]
DIFFERENCES: Final = (
    ("fused", "sm"),
    ("upper_bound", "sm"),
    ("upper_bound", "fused"),
    ("fused", "ffdm"),
    ("ffdm", "sm"),
    ("sm", "untrained"),
)
NO_INTERVAL: Final = "without an interval: no resamples, or one patient alone in its stratum"
Facts = dict[str, Any]
Held = Mapping[str, Mapping[str, Resampled]]


def thresholds(val: Cases, config: EvaluateConfig, fppi: float | None = None) -> dict[str, float]:
    """Each model's operating threshold, read from the validation split.

    Args:
        val: The split.
        config: Says on which images.
        fppi: False positives per image; those of the config if not given.
    """
    plus = config.froc.operating_images == "positive"
    return {
        model: operating_threshold(
            select(outcomes, outcomes.positive) if plus else outcomes,
            fppi or config.froc.operating_fppi,
        )
        for model, outcomes in val.outcomes.items()
    }


def summarise_split(cases: Cases, config: EvaluateConfig) -> Facts:
    """FAUC-1 of every model with intervals, paired differences and the gap closed."""
    names = list(cases.outcomes)
    statistics = [s for model in names for s in _statistics(cases, model, config)]
    found = iter(resample(statistics, cases.patients, config.bootstrap))
    held = {model: {form: next(found) for form in FORMS} for model in names}
    compared = delong(cases.positive, [image_scores(cases, model) for model in names])
    models = {
        model: _areas(cases.outcomes[model], config)
        | {form: one.point for form, one in held[model].items()}
        | {f"{form}_ci95": one.interval() for form, one in held[model].items()}
        | {"auc_delong_ci95": compared.interval(number)}
        for number, model in enumerate(names)
    }
    return {
        "models": models,
        "differences": [one for form in FORMS for one in _differences(form, held)],
        "auc_delong_p": _delong_tests(names, compared),
        **{key: value for form in GAPS for key, value in _gap(form, held).items()},
    }


def operating_facts(
    cases: Cases, limits: Mapping[str, float], how: Interpolation = "trapezoid"
) -> dict[str, Facts]:
    """What each model does at its operating threshold; ``how`` is of the subgroups' areas."""
    facts = {}
    for model, outcomes in cases.outcomes.items():
        point = operate(outcomes, limits[model])
        found = outcomes.lesion_scores >= limits[model]
        facts[model] = {
            "threshold": point.threshold,
            "sensitivity_at_threshold": point.sensitivity,
            "image_sensitivity_at_threshold": point.image_sensitivity,
            "fppi_at_threshold": point.fppi,
            "fppi_healthy": point.fppi_healthy,
            "fppi_positive": point.fppi_positive,
            "sensitivity_by_visibility": sensitivity_by(visibility(cases, model), found),
            "subgroups": subgroup_tables(cases, model, limits[model], how),
        }
    return facts


def complementarity(cases: Cases, limits: Mapping[str, float]) -> Facts | None:
    """Buckets and the 2^3 table at the operating thresholds; None without sm and ffdm."""
    if not {"sm", "ffdm"} <= cases.outcomes.keys():
        return None
    hit = {m: images_hit(o, limits[m]) for m, o in cases.outcomes.items()}
    false = {m: false_marks(o, limits[m]) for m, o in cases.outcomes.items()}
    positive = cases.positive
    facts: Facts = {
        "positive_pairs": int(positive.sum()),
        "annotated_in_one_image_only": sum(len(pair.drawn) == 1 for pair in cases.pairs),
        "buckets": {k: len(v) for k, v in buckets(hit, false, positive).items()},
    }
    if "fused" in hit:
        table = outcome_table(*(hit[model][positive] for model in ("sm", "ffdm", "fused")))
        facts |= {"outcomes": table, "outcome_sums": outcome_sums(table)}
    return facts


def bucket_members(cases: Cases, limits: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Pair numbers of the four buckets; empty without sm and ffdm."""
    if not {"sm", "ffdm"} <= cases.outcomes.keys():
        return {}
    hit = {m: images_hit(cases.outcomes[m], limits[m]) for m in ("sm", "ffdm")}
    false = {m: false_marks(cases.outcomes[m], limits[m]) for m in ("sm", "ffdm")}
    return dict(buckets(hit, false, cases.positive))


def verdict(facts: Facts) -> str:
    """One honest sentence on whether the fused model beats SM."""
    wanted = ("fused_minus_sm", FORMS[0])
    found = [d for d in facts["differences"] if (d["name"], d["form"]) == wanted]
    if not found:
        return "The fused model and SM were not compared."
    value, interval = found[0]["value"], found[0]["ci95"]
    if value is None:
        return "The fused model and SM cannot be compared: no image has a lesion."
    if interval is None:
        return f"Fused minus SM is {value:+.3f} FAUC-1; {NO_INTERVAL}."
    numbers = f"{value:+.3f} FAUC-1, 95 % interval {interval[0]:+.3f} to {interval[1]:+.3f}"
    if interval[0] > 0:
        return f"The fused model beats SM: {numbers}."
    if interval[1] < 0:
        return f"The fused model is worse than SM: {numbers}."
    return f"The fused model cannot be told apart from SM: {numbers}."


def strict(value: Any) -> Any:
    """Turn NumPy values into plain ones and NaN or infinity into None, all the way down."""
    if isinstance(value, Mapping):
        return {str(key): strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [strict(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _statistics(cases: Cases, model: str, config: EvaluateConfig) -> tuple[Statistic, ...]:
    outcomes = cases.outcomes[model]

    def make(each: Outcomes) -> Statistic:
        return fauc_statistic(each, 1.0, config.froc.interpolation)

    whole = auc_statistic(cases.positive, image_scores(cases, model))
    return make(outcomes), on_positive(outcomes, make), whole


def _delong_tests(names: Sequence[str], compared: DeLong) -> dict[str, float | None]:
    return {
        f"{a}_minus_{b}": compared.p_value(names.index(a), names.index(b))
        for a, b in DIFFERENCES
        if a in names and b in names
    }


def _areas(outcomes: Outcomes, config: EvaluateConfig) -> Facts:
    how = config.froc.interpolation
    image_level = by_image(outcomes)
    plus = select(image_level, outcomes.positive)
    return {
        "fauc_1_images": fauc(froc(image_level, how), 1.0, how).raw,
        "fauc_1_images_plus": fauc(froc(plus, how), 1.0, how).raw,
        "max_fpi": fauc(froc(outcomes, how), 1.0, how).max_fpi,
        "lesions": len(outcomes.lesion_scores),
        "positive_images": int(outcomes.positive.sum()),
    }


def _differences(form: str, held: Held) -> list[Facts]:
    pairs = [(a, b) for a, b in DIFFERENCES if a in held and b in held]
    found = {f"{a}_minus_{b}": held[a][form] - held[b][form] for a, b in pairs}
    return [
        {"name": name, "form": form, "value": one.point, "ci95": one.interval()}
        for name, one in found.items()
    ]


def _gap(form: str, held: Held) -> Facts:
    name = "gap_closed" + form.removeprefix("fauc_1")
    known = {"sm", "fused", "upper_bound"} <= held.keys()
    points = {model: each[form].point for model, each in held.items()}
    drawn = {model: each[form].drawn for model, each in held.items()}
    gap = gap_closed(points, drawn) if known else None
    return {
        name: gap and gap.value,
        f"{name}_ci95": gap and gap.ci95,
        f"{name}_undefined_share": gap and gap.undefined_share,
    }
