"""Figures of a search: settings against what they reached, the surface they lie on, its course."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from scipy.interpolate import RBFInterpolator

from mgray.reports.figures import STYLE, Drawing, as_svg

SCALE: Final[Colormap] = LinearSegmentedColormap.from_list(
    "search", ["#dfe7f0", "#7fa3cc", "#2f6db3", "#6d4fa3", "#d9582b"]
)
STOPPED: Final = "#c3c9d1"
BEST: Final = "#1d2530"
CELLS: Final = 48
SMOOTHING: Final = 0.1


@dataclass(frozen=True)
class Found:
    """The trials of a search that measured something, the best first.

    Attributes:
        keys: Dotted keys that were searched.
        logarithmic: For each key whether its axis is.
        settings: Value of each key.
        values: What each trial reached.
        whole: Whether it was trained to the end.
        steps: Trained.
        numbers: In the order of their start.
    """

    keys: list[str]
    logarithmic: Bool[np.ndarray, " key"]
    settings: Float[np.ndarray, "trial key"]
    values: Float[np.ndarray, " trial"]
    whole: Bool[np.ndarray, " trial"]
    steps: Float[np.ndarray, " trial"]
    numbers: Float[np.ndarray, " trial"]

    @property
    def places(self) -> Float[np.ndarray, "trial key"]:
        """Settings on axes from 0 to 1."""
        low, high = self.ends()
        width = np.where(high > low, high - low, 1.0)
        places: Float[np.ndarray, "trial key"] = (self._axes(self.settings) - low) / width
        return places

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest place of each axis, decades where it is logarithmic."""
        axes = self._axes(self.settings)
        return axes.min(axis=0), axes.max(axis=0)

    def scale(self) -> Normalize:
        """Colours of the values; only trials that were trained to the end decide."""
        shown = self.values[self.whole] if self.whole.any() else self.values
        return Normalize(shown.min(), max(shown.max(), shown.min() + 1e-6))

    def _axes(self, settings: np.ndarray) -> np.ndarray:
        return np.where(self.logarithmic, np.log10(np.where(settings > 0, settings, 1)), settings)


def collect_found(
    rows: Sequence[dict[str, Any]], keys: Sequence[str], logarithmic: frozenset[str], objective: str
) -> Found:
    """Take the trials with a value out of a table; their order stays."""
    seen = [row for row in rows if row[objective] is not None]
    return Found(
        list(keys),
        np.array([key in logarithmic for key in keys], bool),
        np.array([[row[key] for key in keys] for row in seen], float).reshape(-1, len(keys)),
        np.array([row[objective] for row in seen], float),
        np.array([row["end"] == "done" for row in seen], bool),
        np.array([row["steps"] for row in seen], float),
        np.array([row["trial"] for row in seen], float),
    )


def parallel_drawing(found: Found) -> Drawing:
    """One line for each trial through its settings to what it reached."""
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, 4.0), layout="constrained")
        axes = figure.subplots()
        scale = found.scale()
        heights = np.clip(np.array(scale(found.values), float), 0, 1)
        lines = np.column_stack([found.places, heights])
        for number in range(len(lines) - 1, -1, -1):
            whole = found.whole[number]
            axes.plot(
                lines[number],
                color=(BEST if number == 0 else SCALE(heights[number])) if whole else STOPPED,
                alpha=0.9 if whole else 0.5,
                linewidth=2.2 if number == 0 else 0.9,
            )
        _parallel_frame(axes, found)
        figure.colorbar(ScalarMappable(scale, SCALE), ax=axes, label="FAUC-1 on positive images")
        return Drawing(
            as_svg(figure),
            "Every trial is a line. Grey: stopped early, at what it had reached by then. "
            "Black: the best. The last axis begins at the worst trial that was trained to the end.",
        )


def surface_drawing(found: Found) -> Drawing | None:
    """What a smooth surface through the finished trials says around the best one.

    None with fewer finished trials than a surface needs.
    """
    whole = found.places[found.whole]
    varied = [n for n in range(len(found.keys)) if len(whole) and np.ptp(whole[:, n]) > 0]
    if len(varied) < 2 or len(np.unique(whole[:, varied], axis=0)) < len(varied) + 2:
        return None
    surface = RBFInterpolator(
        whole[:, varied], found.values[found.whole], smoothing=SMOOTHING, degree=1
    )
    pairs = list(combinations(range(len(varied)), 2))
    columns = min(3, len(pairs))
    height = 3.0 * -(-len(pairs) // columns)
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, height), layout="constrained")
        grid = figure.subplots(-(-len(pairs) // columns), columns, squeeze=False).ravel()
        for axes, pair in zip(grid, pairs, strict=False):
            _slice(axes, found, surface, varied, pair)
        for axes in grid[len(pairs) :]:
            axes.set_axis_off()
        bar = ScalarMappable(found.scale(), SCALE)
        figure.colorbar(bar, ax=list(grid), label="FAUC-1 on positive images", aspect=40)
        return Drawing(
            as_svg(figure),
            "Response surface: a smoothed thin-plate spline through all trials that were trained to"
            " the end, cut at the best one (cross); two settings vary in each picture. Dots: the"
            " trials; those far from the cut have other values than the surface under them.",
        )


def course_drawing(found: Found) -> Drawing:
    """What each trial reached, in the order of their start, and the best so far."""
    order = np.argsort(found.numbers)
    values, whole = found.values[order], found.whole[order]
    best = np.maximum.accumulate(np.where(whole, values, -np.inf))
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(9.6, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.scatter(found.numbers[order][~whole], values[~whole], s=10, color=STOPPED)
        axes.scatter(found.numbers[order][whole], values[whole], s=14, color="#2f6db3")
        known = np.isfinite(best)
        axes.step(found.numbers[order][known], best[known], where="post", color="#d9582b")
        axes.set(xlabel="trial", ylabel="FAUC-1 on positive images")
        return Drawing(
            as_svg(figure), "Blue: trained to the end. Grey: stopped early. Line: best so far."
        )


def _parallel_frame(axes: Axes, found: Found) -> None:
    low, high = found.ends()
    names = [*(key.rpartition(".")[2].replace("_", "\n") for key in found.keys), "FAUC-1"]
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.1, len(names) - 0.9)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for number, logarithmic in enumerate(found.logarithmic):
        axes.axvline(number, color="#8b93a0", linewidth=0.8)
        for place, value in ((0.0, low[number]), (1.0, high[number])):
            told = 10**value if logarithmic else value
            drop = -12 if place == 0 else 4
            axes.annotate(
                f"{told:.2g}", (number, place), (0, drop), textcoords="offset points", ha="center"
            )


def _slice(
    axes: Axes, found: Found, surface: RBFInterpolator, varied: list[int], pair: tuple[int, int]
) -> None:
    line = np.linspace(0, 1, CELLS)
    across, up = np.meshgrid(line, line)
    at = np.tile(found.places[0, varied], (across.size, 1))
    at[:, pair[0]], at[:, pair[1]] = across.ravel(), up.ravel()
    heights = surface(at).reshape(across.shape)
    scale = found.scale()
    axes.contourf(across, up, heights, levels=14, cmap=SCALE, norm=scale, extend="both")
    x, y = (found.places[:, varied[n]] for n in pair)
    whole = found.whole
    axes.scatter(x[~whole], y[~whole], s=5, color=STOPPED, linewidths=0)
    colours = SCALE(scale(found.values[whole]))
    axes.scatter(x[whole], y[whole], s=12, c=colours, edgecolors="white", linewidths=0.4)
    axes.scatter(x[:1], y[:1], s=70, color=BEST, marker="+", linewidths=1.6)
    axes.grid(visible=False)
    _slice_axis(found, varied[pair[0]], axes.set_xticks, axes.set_xlabel)
    _slice_axis(found, varied[pair[1]], axes.set_yticks, axes.set_ylabel)


def _slice_axis(found: Found, key: int, set_ticks: Any, set_label: Any) -> None:
    low, high = (end[key] for end in found.ends())
    places = np.array([0.0, 0.5, 1.0])
    values = low + places * (high - low)
    told = 10**values if found.logarithmic[key] else values
    set_ticks(places, [f"{value:.2g}" for value in told])
    set_label(found.keys[key].rpartition(".")[2])
