"""Figure: do the scores of images mean what they say? Reliability of every model."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from mgray.reports.figures import BANDED, COLOURS, NAMES, STYLE, Drawing, as_svg

Row = Mapping[str, Any]


def reliability_drawing(classification: Mapping[str, Any]) -> Drawing:
    """Share of positive images against their mean score, and how many images lie where.

    Args:
        classification: As in ``report.json``.
    """
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, 4.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="#8b93a0", linewidth=0.8, linestyle=(0, (1, 2)))
        for model, facts in classification["models"].items():
            _line(left, right, model, facts["reliability"])
        left.set(xlim=(0, 1), ylim=(-0.02, 1.02), title="Reliability")
        left.set(xlabel="Mean score of the bin", ylabel="Share of positive images")
        right.set(xlim=(0, 1), yscale="log", title="Images in each bin")
        right.set(xlabel="Mean score of the bin", ylabel="Images")
        right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        right.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        right.yaxis.set_minor_locator(NullLocator())
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return Drawing(
            as_svg(figure),
            f"Reliability in {classification['bins']} bins of equal width. Dotted: scores that are"
            " probabilities; below it a model promises more than it keeps. Bars (SM, fused):"
            " Wilson's 95 % interval.",
        )


def _line(left: Axes, right: Axes, model: str, bins: list[Row]) -> None:
    predicted = [each["predicted"] for each in bins]
    observed = [each["observed"] for each in bins]
    dash = (0, (4, 2)) if model == "untrained" else "-"
    look: dict[str, Any] = {"linestyle": dash, "linewidth": 1.6, "marker": "o", "markersize": 4}
    look["color"] = COLOURS[model]
    left.plot(predicted, observed, label=NAMES[model], **look)
    right.plot(predicted, [each["cases"] for each in bins], **look)
    if model in BANDED:
        lows, highs = zip(*(each["ci95"] for each in bins), strict=True)
        left.vlines(predicted, lows, highs, color=COLOURS[model], alpha=0.4, linewidth=1.2)
