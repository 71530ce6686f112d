"""Audit printed rates: a table's CSV, and our own numbers before they are printed."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError, DataError, NotFoundError
from mgray.metrics.fractions import RATES, Counts, PrintedRow, is_attainable, parse_printed
from mgray.metrics.table_audit import Verdict, audit
from mgray.reports.config import AuditConfig

ALIASES: Final = {
    "tpr": "sensitivity",
    "recall": "sensitivity",
    "sens": "sensitivity",
    "tnr": "specificity",
    "spec": "specificity",
    "ppv": "precision",
    "prec": "precision",
    "acc": "accuracy",
}
COUNTS: Final = ("positives", "negatives", "cases")
LARGEST: Final = 10**7
"""Number of cases that a table may state."""
Cells = Mapping[str, str]
Share = tuple[str, float | None, int]


def audit_file(config: AuditConfig) -> tuple[bool, list[str]]:
    """Audit a table.

    Returns:
        Whether all rates are jointly attainable, and lines that say so.

    Raises:
        NotFoundError: No such file.
        DataError: A cell is no rate or no number of cases, there is no rate at all, or no CSV.
        ConfigError: The table has no column ``by``, or two of one meaning.
    """
    sets = read_sets(config.table, config.by)
    verdicts = {name: audit(rows, config.most) for name, rows in sets.items()}
    lines = [
        line
        for name, verdict in verdicts.items()
        for line in describe(name, len(sets[name]), verdict, config.most)
    ]
    return all(map(is_clean, verdicts.values())), lines


def is_clean(verdict: Verdict) -> bool:
    """Whether one test set gives all rows, and it is the one stated."""
    return bool(verdict.counts) and not verdict.impossible and verdict.stated is not False


def read_sets(path: Path, by: str | None) -> dict[str, list[PrintedRow]]:
    """The rows of each test set of a CSV file."""
    if not path.is_file():
        raise NotFoundError(f"table: no file {str(path)!r}: give the CSV of a printed table")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"table: {str(path)!r} is not UTF-8: save it as CSV UTF-8") from None
    rows = _cells(text, by)
    if by is not None and not any(by.lower() in row for row in rows):
        raise ConfigError(f"by={by!r}: the table has no such column: name one or leave it out")
    sets: dict[str, list[PrintedRow]] = {}
    for number, row in enumerate(rows, start=1):
        made = _row(row, number, by)
        if made.rates:
            sets.setdefault(row.get((by or "").lower(), "table"), []).append(made)
    if not sets:
        raise DataError(f"table: no rate in it: name columns {', '.join(RATES)}")
    return sets


def _cells(text: str, by: str | None) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        _check_header(reader.fieldnames or (), by)
        return [
            {_column(key): cell.strip() for key, cell in row.items() if key and cell}
            for row in reader
        ]
    except csv.Error as error:
        raise DataError(f"table: {error}: expected a CSV, look for a quote left open") from None


def _check_header(names: Sequence[str], by: str | None) -> None:
    seen: dict[str, str] = {}
    for name in names:
        meaning = _column(name)
        if meaning not in (*RATES, *COUNTS, by and by.lower()):
            continue
        if meaning in seen:
            both = f"{seen[meaning]!r} and {name!r}"
            raise ConfigError(f"table: columns {both} both mean {meaning}: leave one out")
        seen[meaning] = name


def describe(name: str, rows: int, verdict: Verdict, most: int) -> list[str]:
    """Say in lines what the rows of one test set come from."""
    lines = [f"{name}: row {row!r} cannot come from any {most} cases" for row in verdict.impossible]
    if verdict.stated:
        lines.append(f"{name}: {rows} rows agree with the numbers stated: {_told(verdict.counts)}")
    elif verdict.counts:
        possible = rows - len(verdict.impossible)
        lines.append(f"{name}: {possible} rows come from {_told(verdict.counts)}")
    else:
        lines.append(f"{name}: no numbers up to {most} cases give all {rows} rows")
    if verdict.stated is False:
        lines.append(f"{name}: the numbers stated do not give all rows")
    lines += [f"{name}: row {row!r} contradicts the others, which agree" for row in verdict.odd]
    lines += [
        f"{name}: row {one.row!r} fits with {one.change}: {_told(one.counts)}"
        for one in verdict.repairs
    ]
    return lines


def printed_shares(models: Mapping[str, Any]) -> Iterator[Share]:
    """All shares of whole cases that the report prints of its models, with their counts."""
    for model, facts in models.items():
        yield model, facts["sensitivity_at_threshold"], facts["lesions"]
        yield model, facts["image_sensitivity_at_threshold"], facts["positive_images"]
        for tables in (facts["subgroups"], {"visibility": facts["sensitivity_by_visibility"]}):
            for axis, groups in tables.items():
                for name, group in groups.items():
                    yield f"{model}, {axis} {name}", group["sensitivity"], group["lesions"]


def printed_decisions(models: Mapping[str, Any]) -> Iterator[Share]:
    """All shares of whole images that the report prints of its models as classifiers."""
    for model, facts in models.items():
        found, false = facts["true_positive"], facts["false_positive"]
        if found is not None and false is not None:
            yield f"{model}, positive images", facts["sensitivity"], found + facts["false_negative"]
            yield f"{model}, negative images", facts["specificity"], false + facts["true_negative"]


def check_shares(shares: Iterable[Share], digits: int) -> None:
    """Check our own shares before they are printed: each must be a share of its count.

    Args:
        shares: Name, value and number of cases, of each.
        digits: Printed after the point.

    Raises:
        DataError: One is not; the report would contradict itself.
    """
    for name, value, count in shares:
        if value is None:
            continue
        printed = f"{value:.{digits}f}"
        if not is_attainable(parse_printed(printed), count):
            raise DataError(
                f"report: share {printed} of {name} is no share of {count} cases: it is "
                "counted wrong; please report it"
            )


def _column(name: str) -> str:
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


def _row(row: Cells, number: int, by: str | None) -> PrintedRow:
    names = [cell for key, cell in row.items() if key not in (*RATES, *COUNTS, (by or "").lower())]
    rates, counts = {}, {}
    for key, cell in row.items():
        try:
            if key in RATES:
                rates[key] = parse_printed(cell)
            elif key in COUNTS:
                counts[key] = _count(cell)
        except ValueError:
            what = (
                "a rate of at most nine digits"
                if key in RATES
                else f"a whole number from 1 to {LARGEST}"
            )
            raise DataError(f"table: row {number}, {key} {cell!r}: expected {what}") from None
    return PrintedRow(names[0] if names else f"row {number}", rates, **counts)


def _count(cell: str) -> int:
    count = int(cell)
    if not 1 <= count <= LARGEST:
        raise ValueError
    return count


def _told(counts: Sequence[Counts]) -> str:
    first = counts[0]
    words = f"{first.positives} positive + {first.negatives} negative = {sum(first)} cases"
    more = len(counts) - 1
    return words + (f", or {more} larger pair{'s' if more > 1 else ''} of numbers" if more else "")
