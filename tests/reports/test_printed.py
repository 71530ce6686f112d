import json
from pathlib import Path
from typing import Any

import pytest

from mgray.errors import ConfigError, DataError, NotFoundError
from mgray.reports.config import AuditConfig
from mgray.reports.printed import audit_file, check_shares, printed_decisions, printed_shares

TABLE = """model,target,AUC,F1,TPR,spec
P_score,lesion,.942,.932,.933,.771
P_score*,lesion,.941,.928,.919,.800
P_feat,lesion,.962,.948,.956,.800
P_feat*,lesion,.959,.943,.939,.829
max(p_F),lesion,.922,.938,.974,.667
P_score,malignancy,.778,.601,.591,.813
P_score*,malignancy,.774,.523,.578,.857
P_feat,malignancy,.791,.603,.638,.763
P_feat*,malignancy,.789,.581,.577,.797
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_every_test_set_is_told_on_its_own(tmp_path: Path) -> None:
    config = AuditConfig(table=write(tmp_path, TABLE), by="Target", most=600)
    clean, lines = audit_file(config)
    assert not clean
    assert lines[0] == "lesion: 5 rows come from 344 positive + 105 negative = 449 cases"
    assert lines[1] == "malignancy: no numbers up to 600 cases give all 4 rows"
    assert "malignancy: row 'P_score*' contradicts the others, which agree" in lines
    assert any("f1 and sensitivity exchanged: 149 positive + 300" in line for line in lines)


def test_a_table_that_agrees_with_its_numbers_is_clean(tmp_path: Path) -> None:
    text = "model,sens,spec,positives,negatives\na,66.7%,50%,3,4\nb,33.3%,75%,3,4\n"
    clean, lines = audit_file(AuditConfig(table=write(tmp_path, text)))
    assert clean
    assert lines == [
        "table: 2 rows agree with the numbers stated: 3 positive + 4 negative = 7 cases"
    ]


def test_other_numbers_than_those_stated_are_told(tmp_path: Path) -> None:
    text = "model,sens,spec,positives,negatives\na,66.7%,50%,4,4\n"
    clean, lines = audit_file(AuditConfig(table=write(tmp_path, text), most=8))
    assert not clean
    assert lines[1] == "table: the numbers stated do not give all rows"


@pytest.mark.parametrize(
    ("text", "by", "error", "line"),
    [
        (
            "model,tpr\na,high\n",
            None,
            DataError,
            "row 1, sensitivity 'high': expected a rate of at most nine digits",
        ),
        (f"model,tpr\na,.{'9' * 25}\n", None, DataError, "expected a rate of at most nine digits"),
        ("model,auc\na,.9\n", None, DataError, "no rate in it: name columns sensitivity"),
        ("model,tpr\na,.9\n", "target", ConfigError, "by='target': the table has no such column"),
        ("tpr,sens\n.9,.8\n", None, ConfigError, "'tpr' and 'sens' both mean sensitivity: leave"),
        ("acc,acc\n.9,.8\n", None, ConfigError, "'acc' and 'acc' both mean accuracy: leave one"),
        ("a,A,acc\nx,y,.8\n", "a", ConfigError, "columns 'a' and 'A' both mean a: leave one out"),
        (f"model,tpr\n{'a' * 131073},.9\n", None, DataError, "field larger than .* a quote left"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, text: str, by: str | None, error: type[Exception], line: str
) -> None:
    with pytest.raises(error, match=line):
        audit_file(AuditConfig(table=write(tmp_path, text), by=by))


@pytest.mark.parametrize("count", ["99999999999", "-50", "0", "4.5", "9" * 5000])
@pytest.mark.parametrize("column", ["positives", "negatives", "cases"])
def test_a_number_of_cases_out_of_bounds_is_one_line(
    tmp_path: Path, column: str, count: str
) -> None:
    table = write(tmp_path, f"tpr,{column}\n.5,{count}\n")
    line = f"row 1, {column} '{count}': expected a whole number from 1 to 10000000$"
    with pytest.raises(DataError, match=line):
        audit_file(AuditConfig(table=table))


def test_columns_without_a_name_are_passed_over(tmp_path: Path) -> None:
    text = "model,note,note,,,sens,spec\na,x,y,,,.5,.5\n"
    assert audit_file(AuditConfig(table=write(tmp_path, text), most=8))[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.csv"):
        audit_file(AuditConfig(table=tmp_path / "none.csv"))


def test_our_own_shares_must_be_shares_of_their_counts() -> None:
    check_shares([("sm", 2 / 3, 6), ("nothing", None, 0)], digits=2)
    with pytest.raises(DataError, match=r"share 0\.60 of sm is no share of 7 cases"):
        check_shares([("sm", 0.6, 7)], digits=2)


def test_every_share_of_a_report_is_checked(evaluated: Any) -> None:
    models = json.loads((evaluated.config.out / "report.json").read_text())["models"]
    shares = list(printed_shares(models))
    check_shares(shares, digits=2)
    assert {name for name, _, _ in shares} >= {"sm", "fused", "sm, density b"}
    models["sm"]["subgroups"]["density"]["b"]["sensitivity"] = 0.4
    with pytest.raises(DataError, match="of sm, density b is no share of 6 cases"):
        check_shares(printed_shares(models), digits=2)


def test_every_share_of_the_decisions_is_checked(evaluated: Any) -> None:
    report = json.loads((evaluated.config.out / "report.json").read_text())
    models = report["classification"]["models"]
    shares = list(printed_decisions(models))
    check_shares(shares, digits=2)
    assert ("sm, positive images", 1 / 3, 6) in shares
    assert not [name for name, _, _ in shares if name.startswith("untrained")]  # no threshold
    models["sm"]["specificity"] = 0.9
    with pytest.raises(DataError, match="of sm, negative images is no share of 4 cases"):
        check_shares(printed_decisions(models), digits=2)


def test_a_table_in_another_encoding_is_one_line(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes("Modèle,sensitivity\nà,0.5\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"is not UTF-8: save it as CSV UTF-8$"):
        audit_file(AuditConfig(table=table))
