import pytest

from mgray.reports.paper import COLUMNS, OUTCOMES, TABLE_2, paper_gap


def test_the_papers_gaps_are_87_74_63_and_46_percent() -> None:
    gaps = [round(100 * paper_gap(column)) for column in COLUMNS]
    assert gaps == [87, 74, 63, 46]


@pytest.mark.parametrize("column", COLUMNS)
def test_the_paper_orders_sm_fused_upper_bound_in_every_column(column: str) -> None:
    values = [TABLE_2[model][column].value for model in ("sm", "fused", "upper_bound")]
    assert values == sorted(values)


def test_every_printed_interval_holds_its_value() -> None:
    assert all(p.low <= p.value <= p.high for row in TABLE_2.values() for p in row.values())


def test_the_papers_misses_add_up() -> None:
    lost = sum(OUTCOMES[name] for name in OUTCOMES if name.startswith("lost"))
    assert OUTCOMES["fused_missed"] == OUTCOMES["all_missed"] + lost
    assert OUTCOMES["both_missed"] == OUTCOMES["all_missed"] + OUTCOMES["recovered_missed_by_both"]
