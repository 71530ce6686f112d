"""The experiment's report: one table as CSV and Markdown, one page with a picture."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgray.metrics.config import HitConfig
from mgray.metrics.hits import rule_text
from mgray.reports.experiment import FULL, Row
from mgray.reports.figures import COLOURS, NAMES, STYLE, Drawing, as_svg
from mgray.reports.html import DASH, interval, number, share, signed, template
from mgray.reports.run import flat, settings, versions
from mgray.reports.summary import NO_INTERVAL, strict

HEADER: Final = (
    "Traced", "Model", "FAUC-1+", "Fused \N{MINUS SIGN} SM", "Gap closed",
    "Full \N{MINUS SIGN} arm", "Similarity", "FAUC-1", "+ both", "+ FFDM only", "+ SM only",
)  # fmt: skip
PAGE: Final = "experiment.html"


def write_report(
    out: Path, rows: Sequence[Row], titles: Mapping[str, str], config: Mapping[str, Any]
) -> Path:
    """Write ``results.csv``, ``results.md``, ``results.json`` and the page.

    Args:
        out: Folder.
        rows: Of ``reports.experiment.measure``, with ``dose`` and ``similarity``, of each dose;
            the first dose is that of the controls.
        titles: What each arm is.
        config: Of the experiment.

    Returns:
        The page.
    """
    lines = [cells(row, titles) for row in rows]
    facts = {"rows": rows, "config": settings(config), "versions": versions()}
    (out / "results.json").write_text(json.dumps(strict(facts), indent=2, allow_nan=False) + "\n")
    (out / "results.csv").write_text(_csv(rows))
    (out / "results.md").write_text(markdown(lines))
    page = out / PAGE
    page.write_text(_html(rows, lines, titles, config), encoding="utf-8")
    return page


def verdict(rows: Sequence[Row]) -> str:
    """One honest sentence on fused against SM, at the first dose."""
    full = next(r for r in rows if (r["arm"], r["model"]) == (FULL, "fused"))
    if not np.isfinite(full["gain"]):
        return "Fused and SM cannot be compared: no image has a lesion."
    if full["gain_ci95"] is None:
        return f"Fused minus SM is {full['gain']:+.3f} FAUC-1+; {NO_INTERVAL}."
    low, high = full["gain_ci95"]
    told = f"{full['gain']:+.3f} FAUC-1+, 95 % interval {low:+.3f} to {high:+.3f}"
    if low > 0:
        return f"Fused is above SM: {told}."
    return f"Fused is {'below SM' if high < 0 else 'not told apart from SM'}: {told}."


def title(row: Row, titles: Mapping[str, str]) -> str:
    """Name a row: a model of the full run, or an arm."""
    if row["model"] == "fused":
        return titles[row["arm"]]
    name = NAMES[row["model"]]
    return name if row["arm"] == FULL else f"{name} ({titles[row['arm']]})"


def cells(row: Row, titles: Mapping[str, str]) -> tuple[str, ...]:
    """One line of the table for people."""

    def both(name: str) -> str:
        if row.get(name) is None:
            return ""
        return f"{signed(row[name])} {interval(row[f'{name}_ci95'])}"

    gap = row.get("gap_ci95")
    reached = row.get("similarity")
    return (
        share(row["dose"]),
        title(row, titles),
        f"{number(row['plus'])} {interval(row['plus_ci95'])}",
        both("gain"),
        (share(row.get("gap")) + (f" ({share(gap[0])} to {share(gap[1])})" if gap else ""))
        if "gap" in row
        else "",
        both("full_minus"),
        number(sum(reached) / len(reached), 2) if reached and row["model"] == "fused" else "",
        f"{number(row['all'])} {interval(row['all_ci95'])}",
        *(number(row[f"plus_{shows}"]) for shows in ("both", "ffdm", "sm")),
    )


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """The table for a page of documentation."""
    rule = ["---"] * len(HEADER)
    return "".join(f"| {' | '.join(line)} |\n" for line in (HEADER, rule, *lines))


def arms_drawing(rows: Sequence[Row], titles: Mapping[str, str]) -> Drawing:
    """FAUC-1 on positive images of every model of the first dose, seeds as dots."""
    first = [row for row in rows if row["dose"] == rows[0]["dose"]][::-1]
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, 0.9 + 0.36 * len(first)), layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(first):
            _estimate(axes, place, row)
        axes.set_yticks(range(len(first)), [title(row, titles) for row in first])
        axes.set_xlabel("FAUC-1+ (positive images)")
        axes.grid(axis="y", visible=False)
        return Drawing(
            as_svg(figure),
            "Line: mean over training seeds with its 95 % interval over patients and seeds."
            " Dots: single seeds.",
        )


def doses_drawing(rows: Sequence[Row]) -> Drawing | None:
    """Gain over SM and gap closed against the dose; None for a single dose."""
    full = [row for row in rows if (row["arm"], row["model"]) == (FULL, "fused")]
    full.sort(key=lambda row: float(row["dose"]))
    if len(full) < 2:
        return None
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, 2.8), layout="constrained")
        gain, gap = figure.subplots(1, 2)
        _response(gain, full, "gain", "Fused \N{MINUS SIGN} SM, FAUC-1+")
        _response(gap, full, "gap", "Gap closed")
        return Drawing(as_svg(figure), "Dose and response, with 95 % intervals.")


def _response(axes: Axes, rows: Sequence[Row], name: str, label: str) -> None:
    axes.axhline(0, color="#8b93a0", linewidth=0.8)
    known = [row for row in rows if row[name] is not None]
    doses, values = ([100 * row["dose"] for row in known], [row[name] for row in known])
    axes.plot(doses, values, "o-", color=COLOURS["fused"])
    for row in known:
        if row[f"{name}_ci95"]:
            place = (100 * row["dose"],) * 2
            axes.plot(place, row[f"{name}_ci95"], color=COLOURS["fused"], alpha=0.5)
    axes.set_xlabel("FFDM-only findings that leave a trace in SM, %")
    axes.set_ylabel(label)


def _estimate(axes: Axes, place: int, row: Row) -> None:
    colour = COLOURS[row["model"]]
    if row["plus_ci95"]:
        axes.plot(row["plus_ci95"], (place, place), color=colour, linewidth=2, alpha=0.6)
    axes.plot(row["plus"], place, "|", color=colour, markersize=13, markeredgewidth=2.4)
    dots = row["plus_by_seed"]
    axes.plot(dots, [place] * len(dots), "o", color=colour, markersize=4, alpha=0.7)


def _csv(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows({k: DASH if v is None else v for k, v in row.items()} for row in rows)
    return text.getvalue()


def _html(
    rows: Sequence[Row],
    lines: Sequence[Sequence[str]],
    titles: Mapping[str, str],
    config: Mapping[str, Any],
) -> str:
    return template("experiment.html.j2").render(
        verdict=verdict(rows),
        header=HEADER,
        lines=lines,
        drawings=[d for d in (arms_drawing(rows, titles), doses_drawing(rows)) if d],
        rule=rule_text(HitConfig(**config["hit"])),
        config=config,
        trace=f"{config['trace']:g}".replace("-", "\N{MINUS SIGN}"),
        settings=list(flat(settings(config))),
    )
