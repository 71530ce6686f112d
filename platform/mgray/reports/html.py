"""One self-contained page: everything inline, nothing loaded, opens from disk and prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from mgray.metrics.complementarity import BUCKETS, outcome_key
from mgray.reports.figures import COLOURS, NAMES, Drawing
from mgray.reports.gallery import TITLES, Gallery
from mgray.reports.paper import COLUMNS, OUTCOMES, TABLE_2, paper_gap
from mgray.reports.run import flat
from mgray.reports.subgroups import TITLES as TITLES_OF_AXES

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
SUMS: Final = {
    "sm_missed": "SM misses",
    "ffdm_missed": "FFDM misses",
    "both_missed": "both miss",
    "fused_missed": "fused misses",
    "all_missed": "all three miss",
    "recovered": "fused recovers of SM's misses",
    "recovered_found_by_ffdm": "… that FFDM found",
    "recovered_missed_by_both": "… that neither found",
    "lost_found_by_sm_only": "fused misses, SM alone found",
    "lost_found_by_ffdm_only": "fused misses, FFDM alone found",
    "lost_found_by_both": "fused misses, both found",
}
DIFFERENCES: Final = {
    "fused_minus_sm": "Fused \N{MINUS SIGN} SM",
    "upper_bound_minus_sm": "Upper bound \N{MINUS SIGN} SM",
    "upper_bound_minus_fused": "Upper bound \N{MINUS SIGN} fused",
    "fused_minus_ffdm": "Fused \N{MINUS SIGN} FFDM",
    "ffdm_minus_sm": "FFDM \N{MINUS SIGN} SM",
    "sm_minus_untrained": "SM \N{MINUS SIGN} untrained",
}


@dataclass(frozen=True)
class Page:
    """What is on the page.

    Attributes:
        facts: The content of ``report.json``.
        froc: FROC curves.
        reliability: Of the scores of images.
        curves: Learning curves, if the run has any.
        audit: Alignment, if a pair was looked at.
        galleries: Pictures of each bucket.
    """

    facts: dict[str, Any]
    froc: Drawing
    reliability: Drawing
    curves: Drawing | None
    audit: Drawing | None
    galleries: list[Gallery]


def template(name: str) -> Template:
    """Open a template of this room; it escapes what it is given and refuses names it lacks."""
    environment = Environment(
        loader=PackageLoader("mgray.reports", "templates"),
        autoescape=select_autoescape(("html", "j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "p_value": p_value,
        "interval": interval,
        "signed": signed,
        "share": share,
    }
    return environment.get_template(name)


def render(page: Page) -> str:
    """Write the page as HTML text."""
    return template("report.html.j2").render(
        page=page,
        facts=page.facts,
        names=NAMES,
        colours=COLOURS,
        table_2=table_2(page.facts),
        columns=COLUMNS,
        gaps={column: gap(page.facts, column) for column in COLUMNS},
        paper_gaps={column: paper_gap(column) for column in COLUMNS},
        paper_outcomes=OUTCOMES,
        sums=SUMS,
        differences=DIFFERENCES,
        subgroups=subgroups(page.facts["models"]),
        buckets={name: TITLES[name] for name in BUCKETS},
        outcome_key=outcome_key,
        settings=list(flat(page.facts["config"])),
        training=list(flat(page.facts["training"]["config"])),
    )


def table_2(facts: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Our value, its interval and the paper's, for each model and column."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for model, own in facts["models"].items():
        rows[model] = {}
        for column in COLUMNS:
            split, _, plus = column.partition("_")
            held = own["val"] if split == "val" else own if facts["split"] == split else {}
            key = "fauc_1_plus" if plus else "fauc_1"
            rows[model][column] = {
                "value": held.get(key),
                "ci95": held.get(f"{key}_ci95"),
                "paper": TABLE_2.get(model, {}).get(column),
            }
    return rows


def subgroups(models: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Each axis by its title: for each group, every model's row; a model may lack a group."""
    axes: dict[str, dict[str, dict[str, Any]]] = {}
    for axis, title in TITLES_OF_AXES.items():
        rows: dict[str, dict[str, Any]] = {}
        for model, facts in models.items():
            for group, row in facts["subgroups"].get(axis, {}).items():
                rows.setdefault(group, {})[model] = row
        if rows:
            axes[title] = dict(sorted(rows.items()))
    return axes


def gap(facts: dict[str, Any], column: str) -> dict[str, Any]:
    """Our share of the gap closed in one column of the table, and its interval in words."""
    split, _, plus = column.partition("_")
    held = facts["val"] if split == "val" else facts if facts["split"] == split else {}
    name = "gap_closed_plus" if plus else "gap_closed"
    value, pair = held.get(name), held.get(f"{name}_ci95")
    if pair is not None:
        words = f"({share(pair[0])} to {share(pair[1])})"
    elif held.get(f"{name}_undefined_share") is None:
        words = ""
    else:
        words = "upper bound not above SM" if value is None else "no finite interval"
    return {"value": value, "words": words}


def number(value: float | int | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    return DASH if value is None else f"{value:.{digits}f}"


def p_value(value: float | None) -> str:
    """A p-value; never as zero."""
    return DASH if value is None else "< 0.001" if value < 0.001 else number(value)


def signed(value: float | None) -> str:
    """A difference with its sign."""
    return DASH if value is None else f"{value:+.3f}".replace("-", MINUS)


def interval(pair: Sequence[float] | None, digits: int = 3) -> str:
    """An interval in parentheses; empty where there is none."""
    if pair is None:
        return ""
    return f"({pair[0]:.{digits}f} to {pair[1]:.{digits}f})".replace("-", MINUS)


def share(value: float | None) -> str:
    """A share as per cent."""
    return DASH if value is None else f"{100 * value:.0f} %".replace("-", MINUS)
