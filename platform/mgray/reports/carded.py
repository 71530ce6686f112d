"""The figures of a report that go into a model's card."""

from collections.abc import Iterator, Mapping
from typing import Any

from mgray.models.folder import read_meta, update_meta
from mgray.models.meta import Measured
from mgray.reports.config import EvaluateConfig
from mgray.reports.summary import FORMS


def save_measured(config: EvaluateConfig, models: Mapping[str, Mapping[str, Any]]) -> None:
    """Write each model's figures into its folder, if they are not there.

    Args:
        config: Names run and split.
        models: Facts by model, as in ``report.json``.
    """
    for name, facts in models.items():
        folder = config.run / "models" / name
        meta, measured = read_meta(folder), tuple(_figures(facts, config))
        if meta.measured != measured:
            update_meta(folder, meta.model_copy(update={"measured": measured}))


def _figures(facts: Mapping[str, Any], config: EvaluateConfig) -> Iterator[Measured]:
    split, point = config.split, config.froc
    images = "" if point.operating_images == "all" else f" of {point.operating_images} images"
    for form in FORMS:
        if facts[form] is not None:
            yield Measured(what=form, where=split, value=facts[form], ci95=facts[f"{form}_ci95"])
    for axis, groups in facts["subgroups"].items():
        for group, row in groups.items():
            if row["sensitivity"] is not None:
                yield Measured(
                    what=f"sensitivity at fppi_{point.operating_fppi:g}{images}",
                    where=f"{split}, {axis.replace('_', ' ')} {group}",
                    value=row["sensitivity"],
                    ci95=row["sensitivity_ci95"],
                )
