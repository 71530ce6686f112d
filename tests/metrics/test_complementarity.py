import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgray.metrics.complementarity import (
    BUCKETS,
    buckets,
    gap_closed,
    outcome_key,
    outcome_sums,
    outcome_table,
    sensitivity_by,
)


def gap(sm: object, fused: object, upper_bound: object) -> dict[str, np.ndarray]:
    named = {"sm": sm, "fused": fused, "upper_bound": upper_bound}
    return {name: np.asarray(values, float) for name, values in named.items()}


PAPER = {"sm": 0.523, "fused": 0.565, "upper_bound": 0.59}


def test_the_papers_test_plus_gap_is_63_percent() -> None:
    none = gap([], [], [])
    assert gap_closed(PAPER, none).value == pytest.approx(0.63, abs=0.005)


def test_the_interval_is_of_paired_ratios() -> None:
    base = np.linspace(0.2, 0.4, 101)
    answer = gap_closed(PAPER, gap(base, base + 0.05, base + 0.1))
    assert answer.ci95 == pytest.approx((0.5, 0.5))
    assert answer.undefined_share == 0


def test_no_gap_gives_no_value() -> None:
    point = {"sm": 0.5, "fused": 0.6, "upper_bound": 0.5}
    answer = gap_closed(point, gap([0.5], [0.6], [0.7]))
    assert (answer.value, answer.ci95) == (None, None)


def test_an_unstable_denominator_gives_no_interval_and_says_how_often() -> None:
    upper = np.where(np.arange(100) < 10, 0.1, 0.6)
    answer = gap_closed(PAPER, gap(np.full(100, 0.5), np.full(100, 0.55), upper))
    assert answer.ci95 is None
    assert answer.undefined_share == pytest.approx(0.1)


def test_an_equal_upper_bound_is_undefined_not_infinite() -> None:
    answer = gap_closed(PAPER, gap([0.5] * 100, [0.6] * 100, [0.5] + [0.7] * 99))
    assert answer.ci95 == pytest.approx((0.5, 0.5))
    assert answer.undefined_share == pytest.approx(0.01)


def test_areas_that_differ_by_rounding_are_equal() -> None:
    answer = gap_closed(PAPER, gap([0.1] * 100, [0.2] * 100, [0.1 + 1e-16] + [0.3] * 99))
    assert answer.undefined_share == pytest.approx(0.01)
    point = {"sm": 0.5, "fused": 0.6, "upper_bound": np.nextafter(0.5, 1)}
    assert gap_closed(point, gap([], [], [])).value is None


PAPER_TABLE = {  # (sm, ffdm, fused) found; the paper does not print how many all three find
    (0, 0, 0): 44,
    (0, 0, 1): 8,
    (0, 1, 0): 16,
    (0, 1, 1): 10,
    (1, 0, 0): 3,
    (1, 1, 0): 3,
    (1, 0, 1): 31,
    (1, 1, 1): 200,
}
PAPER_SUMS = {
    "sm_missed": 78,
    "ffdm_missed": 86,
    "both_missed": 52,
    "fused_missed": 66,
    "all_missed": 44,
    "recovered": 18,
    "recovered_found_by_ffdm": 10,
    "recovered_missed_by_both": 8,
    "lost_found_by_sm_only": 3,
    "lost_found_by_ffdm_only": 16,
    "lost_found_by_both": 3,
}


def paper_images() -> np.ndarray:
    rows = [bits for bits, count in PAPER_TABLE.items() for _ in range(count)]
    return np.array(rows, bool).T


def test_the_papers_sentences_come_out_of_one_table() -> None:
    assert outcome_sums(outcome_table(*paper_images())) == PAPER_SUMS


def test_the_table_names_its_cells() -> None:
    table = outcome_table(*paper_images())
    assert table[outcome_key(False, True, True)] == 10
    assert "sm_miss ffdm_hit fused_hit" in table


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=30))
def test_the_sums_agree_with_counting(rows: list[tuple[bool, bool, bool]]) -> None:
    sm, ffdm, fused = np.array(rows, bool).reshape(-1, 3).T
    table = outcome_table(sm, ffdm, fused)
    sums = outcome_sums(table)
    assert sum(table.values()) == len(rows)
    assert sums["sm_missed"] == (~sm).sum()
    assert sums["both_missed"] == (~sm & ~ffdm).sum()
    assert sums["recovered"] == sums["sm_missed"] - (~sm & ~fused).sum()


def test_buckets_hold_what_one_model_alone_gets_wrong() -> None:
    hit = {"sm": np.array([1, 0, 1, 0, 0], bool), "ffdm": np.array([0, 1, 1, 0, 0], bool)}
    false = {"sm": np.array([0, 0, 0, 2, 0]), "ffdm": np.array([0, 0, 1, 0, 3])}
    positive = np.array([1, 1, 1, 1, 0], bool)
    found = buckets(hit, false, positive)
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "missed_in_ffdm_only": [0],
        "missed_in_sm_only": [1],
        "false_in_ffdm_only": [2, 4],
        "false_in_sm_only": [3],
    }
    assert tuple(found) == BUCKETS


def test_sensitivity_is_counted_per_group() -> None:
    rows = sensitivity_by(["both", "sm", "both"], np.array([True, False, False]))
    assert rows["both"] == {"lesions": 2, "found": 1, "sensitivity": 0.5}
    assert rows["sm"]["sensitivity"] == 0.0
