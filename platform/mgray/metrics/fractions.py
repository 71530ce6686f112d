"""Which counts can printed rates come from? An audit in whole numbers.

A rate printed with three digits is a rounded fraction of whole cases. Rows of one table share the
numbers of positive and negative cases, so few pairs of numbers give all of them, and often one: a
misprint or another test set than the one stated shows. A rate is attainable when a count lies
within half a unit of its last digit; the edge itself counts, whichever way it was rounded.

References:
    Brown and Heathers, Soc. Psychol. Personal. Sci. 8 (2017) 363: the GRIM test, of means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from re import fullmatch
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int

RATES: Final = ("sensitivity", "specificity", "precision", "f1", "accuracy")
LONGEST: Final = len("0.123456789")
"""Of a printed rate: counts of more digits than that, times cases, would overflow."""
Numbers = Int[np.ndarray, " _"]
Bounds = tuple[Numbers, Numbers]


class Printed(NamedTuple):
    """A rate as it stands in a table: ``value / scale``, e.g. 933 / 1000."""

    value: int
    scale: int

    def __str__(self) -> str:
        return f"{self.value / self.scale:.{len(str(self.scale)) - 1}f}"


@dataclass(frozen=True)
class PrintedRow:
    """Rates of one model on one test set.

    Attributes:
        name: For messages.
        rates: By name, of ``RATES``.
        positives: Positive cases, where stated.
        negatives: Negative cases, where stated.
        cases: Both together, where stated.
    """

    name: str
    rates: Mapping[str, Printed]
    positives: int | None = None
    negatives: int | None = None
    cases: int | None = None


class Counts(NamedTuple):
    """Of positive and of negative cases."""

    positives: int
    negatives: int


def parse_printed(text: str) -> Printed:
    """Read ``.933``, ``0.933``, ``93.3%`` or ``93.3``: what is above 1 is per cent.

    Raises:
        ValueError: Not a rate.
    """
    plain = text.strip().removesuffix("%").strip()
    if not fullmatch(r"\d*\.?\d+", plain):
        raise ValueError(f"{text[:40]!r}: expected a rate such as .933 or 93.3%")
    if len(plain) > LONGEST:
        raise ValueError(f"{text[:40]!r}: expected a rate of at most nine digits")
    value, digits = Fraction(plain), len(plain.partition(".")[2])
    percent = text.strip().endswith("%") or value > 1
    if value > (100 if percent else 1):
        raise ValueError(f"{text!r}: expected a rate of at most 1 or 100 per cent")
    return Printed(int(value * 10**digits), 10 ** (digits + 2 * percent))


def is_attainable(rate: Printed, count: int) -> bool:
    """Whether a share of so many cases can be printed like this."""
    low, high = _around(rate, np.array([count]))
    return bool((np.maximum(low, 0) <= np.minimum(high, count)).all())


def values_of(row: PrintedRow, name: str, counts: Counts) -> list[Printed]:
    """What a rate of a row may be, given the row's other rates and the numbers of cases."""
    scale = max(rate.scale for rate in row.rates.values())
    rest = {key: rate for key, rate in row.rates.items() if key != name}
    return [
        Printed(value, scale)
        for value in range(scale + 1)
        if len(_fit(replace(row, rates={**rest, name: Printed(value, scale)}), _column(counts))[0])
    ]


def joint_counts(rows: Sequence[PrintedRow], most: int) -> tuple[Counts, ...]:
    """All pairs of numbers, of ``most`` cases together, that every row can come from."""
    positives, negatives = (
        _alone([row.rates.get(name) for row in rows], most)
        for name in ("sensitivity", "specificity")
    )
    pairs = _pairs(rows, positives, negatives, most)
    for row in sorted(rows, key=lambda row: "sensitivity" not in row.rates):
        pairs = _fit(row, pairs)
    return tuple(map(Counts._make, zip(*(side.tolist() for side in pairs), strict=True)))


def _pairs(rows: Sequence[PrintedRow], positives: Numbers, negatives: Numbers, most: int) -> Bounds:
    """All pairs of the numbers that the rows state nothing against."""
    for row in rows:
        if row.positives is not None:
            positives = positives[positives == row.positives]
        if row.negatives is not None:
            negatives = negatives[negatives == row.negatives]
    totals = [row.cases for row in rows if row.cases is not None]
    if totals:
        keep = np.isin(totals[0] - positives, negatives)
        return positives[keep], totals[0] - positives[keep]
    first, second = np.meshgrid(positives, negatives, indexing="ij")
    keep = first + second <= most
    return first[keep], second[keep]


def _alone(rates: Sequence[Printed | None], most: int) -> Numbers:
    """Numbers of cases that each of the rates can be a share of."""
    whole = np.arange(1, most + 1)
    for rate in rates:
        if rate is not None:
            low, high = _around(rate, whole)
            whole = whole[np.maximum(low, 0) <= np.minimum(high, whole)]
    return whole


def _column(counts: Counts) -> Bounds:
    return np.array([counts.positives]), np.array([counts.negatives])


def _fit(row: PrintedRow, pairs: Bounds) -> Bounds:
    """Only the pairs of numbers that the row can come from."""
    positives, negatives = pairs
    keep = np.ones(len(positives), bool)
    for stated, numbers in (
        (row.positives, positives),
        (row.negatives, negatives),
        (row.cases, positives + negatives),
    ):
        keep &= stated is None or numbers == stated
    positives, negatives = positives[keep], negatives[keep]
    low, high = _found(row.rates, positives, negatives)
    fits, open_ = np.zeros(len(positives), bool), np.arange(len(positives))
    for step in range(int((high - low).max(initial=-1)) + 1):
        open_ = open_[low[open_] + step <= high[open_]]
        found = low[open_] + step
        least, largest = _false_positives(row.rates, found, positives[open_], negatives[open_])
        fits[open_[least <= largest]] = True
        open_ = open_[least > largest]
        if not len(open_):
            break
    return positives[fits], negatives[fits]


def _found(rates: Mapping[str, Printed], positives: Numbers, negatives: Numbers) -> Bounds:
    """Between which numbers those found among the positives lie; the search begins there."""
    lows, highs = [np.zeros_like(positives)], [positives]
    if "sensitivity" in rates:
        low, high = _around(rates["sensitivity"], positives)
        lows, highs = [*lows, low], [*highs, high]
    if "accuracy" in rates:
        low, high = _around(rates["accuracy"], positives + negatives)
        lows, highs = [*lows, low - negatives], [*highs, high]
    if "f1" in rates and rates["f1"].value:
        value, twice = 2 * rates["f1"].value - 1, 2 * rates["f1"].scale
        lows.append(-(-value * positives // (2 * twice - value)))
    return np.max(lows, axis=0), np.min(highs, axis=0)


def _false_positives(
    rates: Mapping[str, Printed], found: Numbers, positives: Numbers, negatives: Numbers
) -> Bounds:
    """Between which numbers the false positives lie, given those found among the positives."""
    bounds = [(np.zeros_like(negatives), negatives)]
    if "specificity" in rates:
        low, high = _around(rates["specificity"], negatives)
        bounds.append((negatives - high, negatives - low))
    if "accuracy" in rates:
        low, high = _around(rates["accuracy"], positives + negatives)
        bounds.append((found + negatives - high, found + negatives - low))
    if "precision" in rates:
        low, high = _below(rates["precision"], found)
        bounds.append((low - found, high - found))
    if "f1" in rates:
        low, high = _below(rates["f1"], 2 * found)
        bounds.append((low - found - positives, high - found - positives))
    lows, highs = zip(*bounds, strict=True)
    return np.max(lows, axis=0), np.min(highs, axis=0)


def _around(rate: Printed, whole: Numbers) -> Bounds:
    """Parts of ``whole`` that are printed as ``rate``."""
    value, twice = rate.value, 2 * rate.scale
    return -(-(2 * value - 1) * whole // twice), (2 * value + 1) * whole // twice


def _below(rate: Printed, part: Numbers) -> Bounds:
    """Wholes of which ``part`` is printed as ``rate``."""
    value, twice = rate.value, 2 * rate.scale
    low = -(-(twice * part) // (2 * value + 1))
    if not value:
        return low, np.full_like(part, np.iinfo(np.int64).max // 4)
    return np.maximum(low, 1), twice * part // (2 * value - 1)
