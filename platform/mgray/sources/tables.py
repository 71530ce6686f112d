"""Tables of public datasets, as delivered: a part at a time, every cell as text.

Ids stay texts from end to end: 16 digits do not fit a float, and ``22678622.0`` is an id too.
"""

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError
from mgray.sources.cells import Cells
from mgray.sources.workbook import read_sheet

BLOCK_BYTES: Final = 8 * 2**20
AT_ONCE: Final = 1024
"""Rows that are Python objects."""
CHUNK: Final = 2**16
MOST_OF_HEADER: Final = 2**16
"""Characters of a table's first line."""
SHEETS: Final = (".xls", ".xlsx")
ROUNDED: Final = re.compile(r"\d([.,]\d+)?[eE]\+?\d+")
"""What a spreadsheet makes of a long number."""


@dataclass(frozen=True)
class Table:
    """A table on disk.

    Args:
        path: CSV, XLS or XLSX.
        header: Names of its columns, without outer blanks.
        delimiter: Of a CSV.
        encoding: Of a CSV.
    """

    path: Path
    header: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"

    def __iter__(self) -> Iterator[Cells]:
        """Yield the rows; memory does not grow with their number.

        Raises:
            ConfigError: Not such a table.
        """
        return _sheet(self) if self.path.suffix.lower() in SHEETS else _csv(self)


def open_table(
    path: Path,
    required: Collection[str],
    *,
    release: str,
    delimiters: str = ",",
    encoding: str = "utf-8",
) -> Table:
    """Read a table's header and check its columns.

    Args:
        path: CSV, XLS or XLSX.
        required: Columns that must be there.
        release: What the columns were written down from, for the message.
        delimiters: Of a CSV: the one that occurs most in the header is taken.
        encoding: Of a CSV.

    Raises:
        ConfigError: Not a table, columns of another release, or a quotation mark that is not
            closed; the text tells nothing of the first line, which may be a patient's if the header
            is missing.
    """
    if path.suffix.lower() in SHEETS:
        header = tuple(_stripped(next(iter(read_sheet(path)), [])))
        table = Table(path, header)
    else:
        line, delimiter = _first_line(path, delimiters, encoding)
        _check_quotes(path)
        table = Table(path, tuple(_stripped(line)), delimiter, encoding)
    missing = [column for column in required if column not in table.header]
    if missing:
        raise ConfigError(
            f"{path.name} lacks the columns {', '.join(map(repr, missing))} of {release}: it has "
            f"{len(table.header)} columns, {len(required) - len(missing)} of {len(required)} "
            "expected ones; is it another release, or without its first line?"
        )
    return table


def extra_json(cells: Cells, mapped: Collection[str]) -> dict[str, str]:
    """Keep what an adapter does not map, by column; empty cells say nothing."""
    return {
        name: said
        for name, text in cells.row.items()
        if text and name and name not in mapped and (said := text.strip())
    }


def dumps(extra: Any) -> str | None:
    """Write ``extra_json``; nothing is ``None``, and half a character is a question mark."""
    if not extra:
        return None
    return json.dumps(extra, sort_keys=True, ensure_ascii=False).encode(errors="replace").decode()


def as_id(text: str | None) -> str | None:
    """Read an id that a spreadsheet may have turned into a float: ``22678622.0`` is 22678622."""
    if text is None:
        return None
    whole, point, rest = text.partition(".")
    return whole if point and whole.isdigit() and not rest.strip("0") else text


def read_id(cells: Cells, column: str) -> str | None:
    """Read an id that may have become a float, but not one that was rounded.

    Raises:
        ConfigError: ``4.12346E+15`` may be any of many ids.
    """
    text = as_id(cells.text(column))
    if text is not None and ROUNDED.fullmatch(text):
        raise cells.fault(column, "digits, not rounded by a spreadsheet")
    return text


def without_nones(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a table does not say."""
    return {name: value for name, value in labels.items() if value is not None and value != []}


def _stripped(names: Sequence[Any]) -> list[str]:
    return [str(name).strip() for name in names]


def _first_line(path: Path, delimiters: str, encoding: str) -> tuple[list[str], str]:
    """Read the header; a byte order mark is no part of it."""
    try:
        with path.open(newline="", encoding=encoding) as file:
            line = file.readline(MOST_OF_HEADER).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path.name} is not a {encoding} text: get it again, or unpack it"
        ) from None
    if len(line) == MOST_OF_HEADER:
        raise ConfigError(f"{path.name} has no header of {MOST_OF_HEADER} characters at most")
    delimiter = max(delimiters, key=line.count)
    return next(csv.reader([line], delimiter=delimiter), []), delimiter


def _check_quotes(path: Path) -> None:
    """Refuse a mark that is not closed: all rows up to the next one would be a single cell."""
    with path.open("rb") as file:
        marks = sum(part.count(b'"') for part in iter(lambda: file.read(CHUNK), b""))
    if marks % 2:
        raise ConfigError(
            f"{path.name} has an odd number of quotation marks, so one is not closed and hides "
            "rows: get it again, or correct the cell"
        )


def _csv(table: Table) -> Iterator[Cells]:
    import pyarrow as pa
    from pyarrow import csv as pc

    types = {name: pa.string() for name in table.header}
    try:
        reader = pc.open_csv(
            table.path,
            read_options=pc.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                skip_rows=1,
                column_names=list(table.header),
                encoding=table.encoding,
            ),
            parse_options=pc.ParseOptions(delimiter=table.delimiter, newlines_in_values=True),
            convert_options=pc.ConvertOptions(column_types=types, strings_can_be_null=False),
        )
        line = 1
        for batch in reader:
            for start in range(0, batch.num_rows, AT_ONCE):
                for row in batch.slice(start, AT_ONCE).to_pylist():
                    line += 1
                    yield Cells(row, line, "row", table.path.name)
    except pa.ArrowInvalid:
        raise ConfigError(
            f"{table.path.name} is not a table of {len(table.header)} columns throughout: get it "
            "again, or correct the row that has more or fewer, is longer than "
            f"{BLOCK_BYTES} bytes, or holds a byte that is no {table.encoding}"
        ) from None


def _sheet(table: Table) -> Iterator[Cells]:
    rows = iter(read_sheet(table.path))
    next(rows, None)
    for number, row in enumerate(rows, 2):
        texts = ["" if cell is None else str(cell) for cell in row]
        cells = dict(zip(table.header, texts, strict=False))
        yield Cells(cells, number, "row", table.path.name)
