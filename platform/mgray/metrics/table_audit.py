"""Do the rows of a printed table come from one test set? Which one, and which row does not?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from mgray.metrics.config import MOST_CASES
from mgray.metrics.fractions import Counts, PrintedRow, joint_counts, values_of

MOST: Final = 1000  # cases; three digits say little about more
CHOICES: Final = 3  # values of a rate that are still a hint


@dataclass(frozen=True)
class Repair:
    """One change that makes a row agree with the others.

    Attributes:
        row: Its name.
        change: In words.
        counts: That all rows then come from.
    """

    row: str
    change: str
    counts: tuple[Counts, ...]


@dataclass(frozen=True)
class Verdict:
    """What rows of one test set say together.

    Attributes:
        counts: All pairs of numbers that every row can come from, the smallest first; of the rows
            that are possible, and of any numbers if those stated do not fit.
        stated: Whether the numbers stated are among them; None where none is stated.
        impossible: Rows that no numbers give.
        odd: Rows without which the others agree.
        repairs: Changes of one row after which all agree.
    """

    counts: tuple[Counts, ...]
    stated: bool | None = None
    impossible: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()


def audit(rows: Sequence[PrintedRow], most: int = MOST) -> Verdict:
    """Find the numbers of cases that all rows can come from, and what is wrong if there are none.

    Args:
        rows: Of one test set.
        most: Cases looked at, unless a row states more; beyond ``MOST_CASES`` those stated only.
            Where one class is stated, those of the other.
    """
    stated_most = _stated(rows, most)
    told, stated_most = stated_most > 0, max(most, stated_most)
    free = [replace(row, positives=None, negatives=None, cases=None) for row in rows]
    if told and (found := joint_counts(rows, stated_most)):
        return Verdict(found, stated=True)
    stated, most = False if told else None, max(most, min(stated_most, MOST_CASES))
    fits = [bool(joint_counts([row], most)) for row in free]
    impossible = tuple(row.name for row, fit in zip(free, fits, strict=True) if not fit)
    possible = [row for row, fit in zip(free, fits, strict=True) if fit]
    counts = joint_counts(possible, most) if possible else ()
    if counts and not impossible:
        return Verdict(counts, stated)
    suspects = [row for row, fit in zip(free, fits, strict=True) if not fit] or [
        row for row in free if joint_counts(_without(free, row), most)
    ]
    repairs = [
        found
        for row in suspects
        if len(impossible) < 2 < len(free)
        for found in _repairs(row, _without(free, row), most)
    ]
    odd = () if impossible else tuple(row.name for row in suspects)
    return Verdict(counts, stated, impossible, odd, tuple(repairs))


def _repairs(row: PrintedRow, others: Sequence[PrintedRow], most: int) -> list[Repair]:
    """Two rates exchanged, or one of them misprinted."""
    found = []
    for one, other in combinations(row.rates, 2):
        swapped = {**row.rates, one: row.rates[other], other: row.rates[one]}
        counts = joint_counts([*others, replace(row, rates=swapped)], most)
        if counts and row.rates[one] != row.rates[other]:
            found.append(Repair(row.name, f"{one} and {other} exchanged", counts))
    for name in row.rates:
        rest = {key: rate for key, rate in row.rates.items() if key != name}
        counts = joint_counts([*others, replace(row, rates=rest)], most)
        if counts and len(rest) > 1:
            values = values_of(row, name, counts[0])
            change = f"{name} {' or '.join(map(str, values))} instead of {row.rates[name]}"
            if len(values) <= CHOICES:
                found.append(Repair(row.name, change, counts))
    return found


def _without(rows: Sequence[PrintedRow], row: PrintedRow) -> list[PrintedRow]:
    return [each for each in rows if each is not row]


def _stated(rows: Sequence[PrintedRow], most: int) -> int:
    """Cases by what the rows state; ``most`` of a class that they are silent about."""
    positives, negatives = (
        max((getattr(row, name) or 0 for row in rows), default=0)
        for name in ("positives", "negatives")
    )
    open_ = most if bool(positives) != bool(negatives) else 0
    return max((row.cases or 0 for row in rows), default=0) or positives + negatives + open_
