from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgray.metrics import fractions
from mgray.metrics.binary import Confusion
from mgray.metrics.fractions import (
    RATES,
    Counts,
    Printed,
    PrintedRow,
    is_attainable,
    joint_counts,
    parse_printed,
    values_of,
)


def printed(confusion: Confusion, digits: int) -> dict[str, Printed]:
    """Its rates as a table would show them."""
    rates = {name: getattr(confusion, name) for name in RATES}
    return {
        name: parse_printed(f"{rate:.{digits}f}")
        for name, rate in rates.items()
        if rate is not None
    }


def slow_counts(row: PrintedRow, most: int) -> set[Counts]:
    """Try every confusion table of few cases."""
    found = set()
    for positives, negatives in product(range(1, most), repeat=2):
        if positives + negatives > most:
            continue
        for hits, false in product(range(positives + 1), range(negatives + 1)):
            made = Confusion(hits, false, negatives - false, positives - hits)
            if all(is_near(getattr(made, name), rate) for name, rate in row.rates.items()):
                found.add(Counts(positives, negatives))
    return found


def is_near(value: float | None, rate: Printed) -> bool:
    if value is None:
        return rate.value == 0
    return abs(value * rate.scale - rate.value) <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        (".933", Printed(933, 1000)),
        ("0.93", Printed(93, 100)),
        ("86.1", Printed(861, 1000)),
        ("96 %", Printed(96, 100)),
        ("1.000", Printed(1000, 1000)),
        ("0", Printed(0, 1)),
    ],
)
def test_a_rate_is_read_in_all_its_spellings(text: str, rate: Printed) -> None:
    assert parse_printed(text) == rate


@pytest.mark.parametrize("text", ["", "n/a", "-0.1", "101", "1/3"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        parse_printed(text)


def test_a_rate_is_shown_with_its_own_digits() -> None:
    assert str(parse_printed(".930")) == "0.930"


def test_a_share_of_seven_cases_has_eight_values() -> None:
    shown = [str(p) for p in (Printed(v, 100) for v in range(101)) if is_attainable(p, 7)]
    assert shown == ["0.00", "0.14", "0.29", "0.43", "0.57", "0.71", "0.86", "1.00"]


def test_an_edge_is_attainable_whichever_way_it_was_rounded() -> None:
    assert is_attainable(Printed(12, 100), 8)  # 1/8 = 0.125
    assert is_attainable(Printed(13, 100), 8)


@given(st.integers(1, 4), st.integers(1, 4), st.data(), st.sets(st.sampled_from(RATES), min_size=1))
def test_the_counts_are_those_of_trying_everything(
    positives: int, negatives: int, data: st.DataObject, names: set[str]
) -> None:
    hits, false = data.draw(st.integers(0, positives)), data.draw(st.integers(0, negatives))
    made = Confusion(hits, false, negatives - false, positives - hits)
    rates = {name: rate for name, rate in printed(made, 2).items() if name in names}
    row = PrintedRow("row", rates)
    found = joint_counts([row], 8)
    assert Counts(positives, negatives) in found
    assert set(found) == slow_counts(row, 8)


@settings(max_examples=15)
@given(st.integers(50, 250), st.integers(50, 250), st.integers(0, 10**6))
def test_the_true_numbers_are_always_among_them(positives: int, negatives: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(4):
        hits, false = int(rng.integers(0, positives + 1)), int(rng.integers(0, negatives + 1))
        made = Confusion(hits, false, negatives - false, positives - hits)
        rows.append(PrintedRow(str(number), printed(made, 3)))
    assert Counts(positives, negatives) in joint_counts(rows, 500)


def test_stated_numbers_are_kept_to() -> None:
    row = PrintedRow("row", {"sensitivity": Printed(5, 10)}, positives=4, cases=10)
    assert joint_counts([row], 50) == (Counts(4, 6),)


def test_a_missing_rate_is_what_the_others_leave() -> None:
    made = Confusion(206, 70, 156, 22)
    row = PrintedRow("row", printed(made, 3))
    assert [str(v) for v in values_of(row, "sensitivity", Counts(228, 226))] == ["0.904"]


@pytest.mark.parametrize(
    "rates",
    [{"accuracy": ".817"}, {"accuracy": ".817", "specificity": ".9"}, {"f1": ".817"}],
)
def test_without_a_sensitivity_the_search_begins_near_its_end(
    monkeypatch: pytest.MonkeyPatch, rates: dict[str, str]
) -> None:
    steps = []

    def look(*bounds: object) -> object:
        steps.append(bounds)
        return false_positives(*bounds)

    false_positives = fractions._false_positives
    monkeypatch.setattr(fractions, "_false_positives", look)
    printed_rates = {name: parse_printed(text) for name, text in rates.items()}
    found = joint_counts([PrintedRow("row", printed_rates, positives=2000)], 2500)
    assert found
    assert len(steps) < 700
