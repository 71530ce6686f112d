import pytest

from mgray.reports.html import interval, number, share, signed, table_2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number(None), "\N{EN DASH}"),
        (number(0.12345), "0.123"),
        (signed(-0.5), "\N{MINUS SIGN}0.500"),
        (signed(0.5), "+0.500"),
        (interval(None), ""),
        (interval([-0.1, 0.2]), "(\N{MINUS SIGN}0.100 to 0.200)"),
        (share(0.634), "63 %"),
        (share(None), "\N{EN DASH}"),
    ],
)
def test_numbers_are_written_for_people(text: str, expected: str) -> None:
    assert text == expected


def test_the_table_puts_the_paper_beside_each_column() -> None:
    own = {"fauc_1": 0.5, "fauc_1_ci95": [0.4, 0.6], "val": {"fauc_1_plus": 0.7}}
    row = table_2({"split": "test", "models": {"sm": own}})["sm"]
    assert (row["test"]["value"], row["test"]["ci95"]) == (0.5, [0.4, 0.6])
    assert row["val_plus"]["value"] == 0.7
    assert row["test"]["paper"].value == 0.515


def test_a_report_on_validation_leaves_the_test_columns_empty() -> None:
    own = {"fauc_1": 0.5, "val": {"fauc_1": 0.5}}
    row = table_2({"split": "val", "models": {"untrained": own}})["untrained"]
    assert row["test"]["value"] is None
    assert row["val"]["value"] == 0.5
    assert row["val"]["paper"] is None
