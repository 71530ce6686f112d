"""The page of a search: what was best, how sure that is, what it cost, every trial."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.reports.html import template
from mgray.reports.run import flat, settings, versions
from mgray.reports.search_figures import (
    collect_found,
    course_drawing,
    parallel_drawing,
    surface_drawing,
)

SHOWN: Final = 40
_QUOTED_PATH: Final = re.compile(r"""(['"])[^'"]*[/\\][^'"]*\1""")


@dataclass(frozen=True)
class SearchPage:
    """What is on the page.

    Attributes:
        rows: One for each trial, best first: ``trial``, ``end`` (done, stopped, failed,
            unfinished), the keys, the objective, ``{objective}_low`` and ``_high``, ``steps``,
            ``error``.
        keys: Dotted keys that were searched.
        logarithmic: Those of them whose axis is.
        objective: Column by which trials are judged.
        rivals: Finished trials whose interval reaches the best one's value.
        steps: Of a whole trial.
        grid: Points of the grid that the cost is compared with.
        settings: Config of the search.
    """

    rows: list[dict[str, Any]]
    keys: list[str]
    logarithmic: frozenset[str]
    objective: str
    rivals: int
    steps: int
    grid: int
    settings: Mapping[str, Any]


def write_page(page: SearchPage, path: Path) -> None:
    """Write a search as one self-contained HTML file."""
    path.write_text(render(page), encoding="utf-8")


def render(page: SearchPage) -> str:
    """Write the page as HTML text."""
    ends = [row["end"] for row in page.rows]
    found = collect_found(page.rows, page.keys, page.logarithmic, page.objective)
    spent = sum(row["steps"] for row in page.rows)
    return template("search.html.j2").render(
        page=page,
        rows=[_row(page, row) for row in page.rows[:SHOWN]],
        best=_row(page, page.rows[0]) if ends[0] == "done" else None,
        verdict=verdict(page),
        ends={end: ends.count(end) for end in ("done", "stopped", "failed", "unfinished")},
        spent=spent,
        share_of_whole=spent / (len(ends) * page.steps),
        share_of_grid=spent / (page.grid * page.steps),
        drawings=[
            drawing
            for make in (parallel_drawing, surface_drawing, course_drawing)
            if len(found.values) and (drawing := make(found))
        ],
        settings=list(flat(settings(page.settings))),
        versions=versions(),
    )


def verdict(page: SearchPage) -> str:
    """One honest sentence on what was found."""
    best = page.rows[0]
    if best["end"] != "done":
        return "No trial was trained to the end: there is no best setting."
    others = sum(row["end"] == "done" for row in page.rows) - 1
    value = (
        f"Trial {best['trial']} is the best: FAUC-1 on positive images {best[page.objective]:.3f}"
    )
    pair = _interval(page, best)
    value += f", 95 % interval {pair[0]:.3f} to {pair[1]:.3f}" if pair else ""
    if not others:
        return f"{value}."
    if not page.rivals:
        return f"{value}; the intervals of all {others} other finished trials lie below it."
    return f"{value}; {page.rivals} of {others} other finished trials cannot be told from it."


def _row(page: SearchPage, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("trial", "end", "steps")},
        "error": row["error"] and _QUOTED_PATH.sub("'…'", row["error"]),
        "settings": [f"{row[key]:.3g}" for key in page.keys],
        "value": row[page.objective],
        "interval": _interval(page, row),
    }


def _interval(page: SearchPage, row: Mapping[str, Any]) -> list[float] | None:
    pair = [row[f"{page.objective}_{end}"] for end in ("low", "high")]
    return None if None in pair else pair
