"""What was measured and how it is told: medians with their range, ratios of paired turns."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mgray.errors import DataError


@dataclass(frozen=True)
class Spread:
    """Median and range of repeated measurements."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.lowest)} to {_short(self.highest)})"


@dataclass(frozen=True)
class Comparison:
    """mgray's way and the bare way, measured in turns.

    Args:
        what: The work.
        unit: Of the values.
        ours: A value for each turn of mgray.
        bare: A value for each turn of the bare way, beside that of ``ours``.
        is_rate: Values are work per time, so that more is better; else they are times.
        goal: Of the median of ``ours``, if there is one.
        most_times: Goal of the median of ``ratios``, if there is one.
    """

    what: str
    unit: str
    ours: Sequence[float]
    bare: Sequence[float]
    is_rate: bool = False
    goal: float | None = None
    most_times: float | None = None

    def ratios(self) -> list[float]:
        """How many times as long mgray takes, for each pair of turns."""
        pairs = zip(self.ours, self.bare, strict=True)
        return [bare / ours if self.is_rate else ours / bare for ours, bare in pairs]

    def is_met(self) -> bool | None:
        """Whether all goals are met, if there is one."""
        goals = ((self.goal, self.ours), (self.most_times, self.ratios()))
        met = [statistics.median(found) <= goal for goal, found in goals if goal is not None]
        return all(met) if met else None

    def as_json(self) -> dict[str, Any]:
        """All values, and what the table shows of them."""
        spreads = {"ours": self.ours, "bare": self.bare, "times_as_long": self.ratios()}
        shown = {name: asdict(spread(values)) for name, values in spreads.items()}
        return {**asdict(self), "goal_is_met": self.is_met(), "spread": shown}


@dataclass(frozen=True)
class Measured:
    """Findings of one part.

    Args:
        comparisons: Lines of the first table.
        peaks: Peak memory of process trees by name, bytes.
        notes: Lines below the tables.
    """

    comparisons: Sequence[Comparison] = ()
    peaks: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


def spread(values: Sequence[float]) -> Spread:
    """Median and range.

    Raises:
        DataError: No values.
    """
    if not values:
        raise DataError("nothing was measured: no values")
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], percent: int) -> float:
    """Interpolate linearly between the two nearest ranks; 0 is the lowest value, 100 the highest.

    Raises:
        DataError: No values.
    """
    if not values:
        raise DataError("nothing was measured: no values")
    ranked = sorted(values)
    place = percent / 100 * (len(ranked) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """One line for each comparison."""
    head = ("median (lowest to highest)", "unit", "mgray", "bare", "times as long", "goal")
    return _aligned([head, *(_cells(one) for one in comparisons)])


def memory_table(peaks: Mapping[str, int]) -> str:
    """One line for each process tree."""
    rows = [(name, f"{size / 2**20:.0f}") for name, size in peaks.items()]
    return _aligned([("peak memory of all processes (PSS)", "MiB"), *rows])


def _cells(one: Comparison) -> tuple[str, ...]:
    values = (str(spread(part)) for part in (one.ours, one.bare, one.ratios()))
    goals = [] if one.goal is None else [f"{one.goal:g}"]
    goals += [] if one.most_times is None else [f"{one.most_times:.3g} times"]
    told = [*goals, "met" if one.is_met() else "MISSED"] if goals else []
    return (one.what, one.unit, *values, " ".join(told))


def _short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
