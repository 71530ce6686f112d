"""Figures as inline SVG text: FROC with bootstrap bands, learning curves, alignment histograms."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from mgray.metrics.bootstrap import group_patients, percentile_band
from mgray.metrics.config import BootstrapConfig, Interpolation
from mgray.metrics.froc import curve_statistic, froc
from mgray.metrics.outcomes import Outcomes, select
from mgray.reports.audit import Audit
from mgray.reports.cases import Cases

COLOURS: Final = {
    "untrained": "#9aa1ab",
    "sm": "#2f6db3",
    "ffdm": "#2a8f82",
    "student": "#b9862b",
    "fused": "#d9582b",
    "upper_bound": "#6d4fa3",
}
NAMES: Final = {
    "untrained": "Untrained",
    "sm": "SM",
    "ffdm": "FFDM",
    "student": "B (student)",
    "fused": "Fused",
    "upper_bound": "Upper bound",
}
STAGES: Final = {
    "sm": "I-A · SM detector",
    "ffdm": "I-C · FFDM detector",
    "student": "II · representation",
    "fused": "III · fused",
    "upper_bound": "UB · SM + FFDM",
}
BANDED: Final = ("sm", "fused")  # what the report is about; five bands would hide each other
BAND_REPLICATES: Final = 1000
REACH: Final = 2.0  # false positives per image shown
STYLE: Final = Path(__file__).parent / "templates" / "report.mplstyle"
Row = dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes:
        svg: ``<svg>`` element.
        caption: What it shows, in one sentence.
    """

    svg: str
    caption: str


def froc_drawing(
    cases: Cases, config: BootstrapConfig, how: Interpolation = "trapezoid"
) -> Drawing:
    """Sensitivity against false positives per image: all images, and positive images only.

    Args:
        cases: A split.
        config: Of the bands.
        how: Of FAUC-1; the lines are straight between operating points in any case.
    """
    ids = np.array([pair.patient_id for pair in cases.pairs])
    few = config.model_copy(update={"replicates": min(config.replicates, BAND_REPLICATES)})
    told = f"Bands (SM, fused): pointwise 95 % of {few.replicates:,} patient resamples. "
    bands = told if few.replicates and cases.patients.vary else ""
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, 4.0), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, plus in ((left, False), (right, True)):
            for model, outcomes in cases.outcomes.items():
                keep = outcomes.positive if plus else np.ones(outcomes.images, bool)
                _froc_line(axes, model, outcomes, keep, (ids, few))
            _froc_frame(axes, "Positive images only (+)" if plus else "All images")
        left.set_ylabel("Lesion sensitivity")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return Drawing(
            as_svg(figure),
            f"FROC. Lines: exact curves. {bands}FAUC-1 is the area over the shaded part of the axis"
            f"{'' if how == 'trapezoid' else f', by the rule {how}'}.",
        )


def curves_drawing(run: Path) -> Drawing | None:
    """Training and validation loss of every stage, stage II's similarity; None without any."""
    rows = {stage: read_metrics(run / "stages" / stage / "metrics.jsonl") for stage in STAGES}
    present = [stage for stage in STAGES if rows[stage]]
    if not present:
        return None
    panels = [(stage, "similarity" if stage == "student" else "loss") for stage in present]
    with mpl.rc_context(fname=STYLE):
        columns = min(3, len(panels))
        count = -(-len(panels) // columns)
        figure = Figure(figsize=(9.6, 2.5 * count), layout="constrained")
        grid = figure.subplots(count, columns, squeeze=False).ravel()
        for axes, (stage, name) in zip(grid, panels, strict=False):
            _learning_curve(axes, rows[stage], name, COLOURS[stage])
            axes.set_title(STAGES[stage])
            axes.set_ylabel("cosine similarity" if name == "similarity" else "loss")
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        return Drawing(
            as_svg(figure), "Learning curves. Thin: training. Dots: held-out pairs (val)."
        )


def audit_drawing(audit: Audit) -> Drawing | None:
    """Histograms of breast-mask Dice and centroid offset; None without a pair."""
    if not len(audit.dice):
        return None
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, 2.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.hist(audit.dice, bins=np.linspace(min(0.8, audit.dice.min()), 1, 25), color="#5f7ea6")
        left.set_xlabel("breast-mask Dice, FFDM against SM")
        edge = max(0.05, float(audit.offset.max()))
        right.hist(audit.offset, bins=np.linspace(0, edge, 25), color="#5f7ea6")
        right.set_xlabel("centroid offset, share of the breast's box")
        left.set_ylabel("pairs")
        return Drawing(
            as_svg(figure),
            f"Alignment of {len(audit.dice)} pairs, cut and mirrored as in training: median Dice"
            f" {np.median(audit.dice):.3f}, median offset {np.median(audit.offset):.3f};"
            f" no breast found in {audit.failed}.",
        )


def read_metrics(path: Path) -> list[Row]:
    """Rows of a stage's ``metrics.jsonl``; none where it is missing, a torn last line left out."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def _froc_line(
    axes: Axes,
    model: str,
    outcomes: Outcomes,
    keep: Bool[np.ndarray, " pair"],
    sampling: tuple[np.ndarray, BootstrapConfig],
) -> None:
    ids, config = sampling
    part = select(outcomes, keep)
    if not part.images or not len(part.lesion_scores):
        return
    curve = froc(part)
    ends = (
        np.r_[curve.fppi, max(REACH, curve.fppi[-1])],
        np.r_[curve.sensitivity, curve.sensitivity[-1]],
    )
    dash = (0, (4, 2)) if model == "untrained" else "-"
    axes.plot(*ends, color=COLOURS[model], label=NAMES[model], linestyle=dash, linewidth=1.6)
    if model not in BANDED:
        return
    grid = np.linspace(0, REACH, 81)
    patients = group_patients(ids[keep].tolist(), part.positive)
    band = percentile_band(curve_statistic(part, grid), patients, config)
    if band is not None:
        axes.fill_between(grid, *band, color=COLOURS[model], alpha=0.16, linewidth=0)


def _froc_frame(axes: Axes, title: str) -> None:
    axes.set(xlim=(0, REACH), ylim=(0, 1), xlabel="False positives per image", title=title)
    axes.axvspan(0, 1, ymax=0.018, color="#b9c1cc", linewidth=0)


def _learning_curve(axes: Axes, rows: Sequence[Row], name: str, colour: str) -> None:
    for key, style in (
        (name, {"linewidth": 1.0, "alpha": 0.65}),
        (f"val_{name}", {"marker": "o", "markersize": 4}),
    ):
        points = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, **style)
    values = [row[name] for row in rows if row.get(name) is not None]
    if name == "loss" and values and min(values) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("step")


def as_svg(figure: Figure) -> str:
    """The figure as one ``<svg>`` element without a date."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace("DejaVu Sans", "sans-serif")
