"""Cells of a table: text in, checked values out; errors name line and column, never a value."""

import csv
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from mgray.errors import ConfigError, NotFoundError

TRUE: Final = frozenset({"1", "true", "yes", "1.0"})
FALSE: Final = frozenset({"0", "false", "no", "0.0"})
DENSITIES: Final = {"1": "a", "2": "b", "3": "c", "4": "d", "a": "a", "b": "b", "c": "c", "d": "d"}
BOX: Final = ("x0", "y0", "x1", "y1")


class Cells:
    """One line of a table.

    Args:
        row: Column to text, as ``csv.DictReader`` gives it.
        line: Number of the line in the file, for messages.
        what: What is counted, for messages: a row of a table may span several lines.
        table: The table's name, for messages: a dataset may have several.
    """

    def __init__(
        self,
        row: Mapping[str, str | None],
        line: int,
        what: str = "line",
        table: str = "the table",
    ) -> None:
        self.row, self.line, self.what, self.table = row, line, what, table

    def text(self, column: str) -> str | None:
        """The text, stripped; ``None`` where the cell is empty or the column missing."""
        text = self.row.get(column)
        return (text.strip() or None) if text else None

    def number(self, column: str) -> float | None:
        """A finite number."""
        text = self.text(column)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.fault(column, "a number")
        return value

    def flag(self, column: str) -> bool | None:
        """Yes or no, as ``1``, ``0``, ``true``, ``false``, ``yes`` or ``no``."""
        text = (self.text(column) or "").lower()
        if text and text not in TRUE | FALSE:
            raise self.fault(column, "0 or 1")
        return text in TRUE if text else None

    def word(self, column: str, known: Mapping[str, str] | Sequence[str]) -> str | None:
        """One of the known words, whatever its case; a mapping also translates."""
        text = self.text(column)
        if text is None:
            return None
        words = known if isinstance(known, Mapping) else _folded(tuple(known))
        word = text.lower()
        if word not in words:
            word = word.removesuffix(".0")  # spreadsheets write 4 as 4.0
        if word not in words:
            raise self.fault(column, "one of " + ", ".join(known))
        return words[word]

    def box(self) -> list[float] | None:
        """The columns ``x0, y0, x1, y1``; ``None`` where all four are empty."""
        if not any(map(self.row.get, BOX)):
            return None
        values = [self.number(column) for column in BOX]
        coords = [value for value in values if value is not None]
        if coords and len(coords) < 4:
            raise ConfigError(
                f"{self.what} {self.line} of {self.table}: a box needs all of x0, y0, x1, y1: "
                "fill or empty them"
            )
        return coords or None

    def fault(self, column: str, expected: str) -> ConfigError:
        """The error for a cell that cannot be understood."""
        return ConfigError(
            f"{self.what} {self.line} of {self.table}: {column} must be {expected} or empty: "
            "correct the cell"
        )


@cache
def _folded(known: tuple[str, ...]) -> Mapping[str, str]:
    return {word.lower(): word for word in known}


def read_table(path: Path, required: Iterable[str]) -> tuple[list[str], list[Cells]]:
    """Read a CSV file whole.

    Args:
        path: UTF-8, with a header line; a byte order mark is allowed.
        required: Columns that must be there.

    Returns:
        The header, and one ``Cells`` per line.

    Raises:
        NotFoundError: No such file.
        ConfigError: Not a CSV text, a line with more cells than the header, or a required column is
            missing; the text tells nothing of the first line, which may be a patient's if the
            header is missing.
    """
    header, lines = read_lines(path, required)
    return header, [Cells(dict(zip(header, texts, strict=False)), line) for line, texts in lines]


def read_lines(
    path: Path, required: Iterable[str]
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Read a CSV file as ``read_table`` does, a line at a time.

    Returns:
        The header, and the number of each line with its texts, as many as stand there; those beyond
        the header are empty.
    """
    if not path.is_file():
        raise NotFoundError(f"no table {str(path)!r}: put it there or name it with csv=PATH")
    lines = _lines(path)
    header = [name.strip() for name in next(lines, (1, []))[1]]
    missing = [column for column in required if column not in header]
    if missing:
        near = difflib.get_close_matches(missing[0], header, n=1)
        hint = (
            f"is it column {header.index(near[0]) + 1}? rename it"
            if near
            else "its first line must name the columns"
        )
        raise ConfigError(f"{str(path)!r} has no column {missing[0]!r}: {hint}")
    return header, _within(lines, len(header))


def _within(lines: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    """Refuse texts beyond the header: a comma too many shifts all cells after it."""
    for number, texts in lines:
        if any(map(str.strip, texts[width:])):
            raise ConfigError(
                f"line {number} of the table has more cells than its header: put a text that holds "
                "a comma into quotation marks"
            )
        yield number, texts


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    read = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for texts in reader:
                read = reader.line_num
                if texts:
                    yield read, texts
    except UnicodeDecodeError:
        raise ConfigError(f"{str(path)!r} is not a UTF-8 CSV table: save it as one") from None
    except csv.Error:
        raise ConfigError(
            f"line {read + 1} of the table is no CSV: is a quotation mark not closed, or is text "
            "behind it? correct the line"
        ) from None
