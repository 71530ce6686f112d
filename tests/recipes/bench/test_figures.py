import json

import numpy as np
import pytest

from mgray.errors import DataError
from mgray.recipes.bench.figures import (
    Comparison,
    comparison_table,
    memory_table,
    percentile,
    spread,
)

LATENCY = Comparison("ask", "ms", ours=[20.0, 30.0, 10.0], bare=[10.0, 10.0, 10.0])
RATE = Comparison("ingest", "images/s", ours=[5.0, 4.0], bare=[10.0, 20.0], is_rate=True)


def test_the_ratio_of_times_says_how_much_longer_mgray_takes() -> None:
    assert LATENCY.ratios() == [2.0, 3.0, 1.0]


def test_the_ratio_of_rates_says_how_much_longer_mgray_takes() -> None:
    assert RATE.ratios() == [2.0, 5.0]


def test_turns_are_paired() -> None:
    slow_machine = Comparison("x", "s", ours=[2.0, 20.0], bare=[1.0, 10.0])
    assert slow_machine.ratios() == [2.0, 2.0]


def test_turns_without_a_partner_are_a_fault() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Comparison("x", "s", ours=[1.0, 2.0], bare=[1.0]).ratios()


def test_spread_is_median_and_range() -> None:
    shown = spread([3.0, 1.0, 2.0, 10.0])
    assert (shown.median, shown.lowest, shown.highest) == (2.5, 1.0, 10.0)


def test_spread_shows_three_digits_and_no_exponent() -> None:
    assert str(spread([0.12345, 1234.5, 10.0])) == "10 (0.123 to 1234)"


@pytest.mark.parametrize("call", [lambda: spread([]), lambda: percentile([], 50)])
def test_no_values_is_a_fault(call) -> None:
    with pytest.raises(DataError, match="nothing was measured"):
        call()


@pytest.mark.parametrize("percent", [0, 1, 50, 99, 100])
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_percentile_is_that_of_numpy(percent: int, count: int) -> None:
    values = np.random.default_rng(count).exponential(size=count)
    assert percentile(values.tolist(), percent) == pytest.approx(np.percentile(values, percent))


def test_a_goal_is_judged_by_the_median() -> None:
    help_time = Comparison("help", "s", [0.4, 0.45, 3.0], [0.1, 0.1, 0.1], goal=0.5)
    assert help_time.is_met() is True
    assert LATENCY.is_met() is None


def test_a_missed_goal_is_told() -> None:
    slow = Comparison("help", "s", ours=[0.6], bare=[0.1], goal=0.5)
    assert comparison_table([slow]).endswith("0.5 MISSED")


@pytest.mark.parametrize(("most", "word"), [(0.5, "0.5 times MISSED"), (2.0, "2 times met")])
def test_a_goal_of_the_ratio_is_told(most: float, word: str) -> None:
    one = Comparison("decode", "ms", ours=[6.0], bare=[6.0], most_times=most)
    assert comparison_table([one]).endswith(word)


def test_the_table_has_a_line_for_each_comparison_in_columns() -> None:
    head, ask, ingest = comparison_table([LATENCY, RATE]).splitlines()
    assert ask.split()[:5] == ["ask", "ms", "20", "(10", "to"]
    assert head.index("mgray") == ask.index("20 (10 to 30)") == ingest.index("4.5 (4 to 5)")
    assert head.index("times as long") == ask.index("2 (1 to 3)") == ingest.index("3.5 (2 to 5)")


def test_an_empty_table_is_its_head() -> None:
    assert len(comparison_table([]).splitlines()) == 1


def test_memory_is_told_in_mebibytes() -> None:
    assert memory_table({"ingest": 3 * 2**20}).splitlines()[1].split() == ["ingest", "3"]


def test_json_holds_all_values_and_what_the_table_shows() -> None:
    told = json.loads(json.dumps(RATE.as_json(), allow_nan=False))
    assert told["ours"] == [5.0, 4.0]
    assert told["spread"]["times_as_long"] == {"median": 3.5, "lowest": 2.0, "highest": 5.0}
    assert told["goal_is_met"] is None
