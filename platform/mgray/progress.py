"""What a person sees: progress with an ETA, as a bar or a line every ten seconds; plain tables."""

import io
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")
LINE_EVERY_S = 10.0
TABLE_WIDTH = 100
log = logging.getLogger(__name__)


class Bar:
    """One step of work: ``with Bar("decode", total) as bar: bar.advance()``.

    Args:
        title: What is being done, as a verb phrase.
        total: How many units there are.
        unit: What one unit is.
    """

    def __init__(self, title: str, total: int, unit: str = "images") -> None:
        self.title, self.total, self.unit, self.done = title, total, unit, 0
        self._rich: Progress | None = None

    def __enter__(self) -> "Bar":
        self._start = self._shown = time.monotonic()
        if sys.stderr.isatty():
            self._rich = Progress(
                TextColumn("{task.description:<24}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TextColumn("ETA"),
                TimeRemainingColumn(),
            )
            self._task = self._rich.add_task(self.title, total=self.total, note=self.unit)
            self._rich.start()
        return self

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count finished units; ``note`` replaces the unit's name, e.g. ``loss 0.31``."""
        self.done += count
        if self._rich is not None:
            self._rich.update(self._task, completed=self.done, note=note or self.unit)
        elif time.monotonic() - self._shown >= LINE_EVERY_S:
            self._shown = time.monotonic()
            log.info("%s", self.line(note))

    def line(self, note: str = "") -> str:
        """The state in words, e.g. ``decode: 120/400 images, ETA 35 s``."""
        elapsed = time.monotonic() - self._start
        eta = elapsed / self.done * (self.total - self.done) if self.done else float("nan")
        tail = f", {note}" if note else ""
        return f"{self.title}: {self.done}/{self.total} {self.unit}{tail}, ETA {eta:.0f} s"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._rich is not None:
            self._rich.stop()
        if kind is None:
            elapsed = time.monotonic() - self._start
            log.info("%s: %d %s in %.1f s", self.title, self.done, self.unit, elapsed)


def track(items: Iterable[T], title: str, total: int, unit: str = "images") -> Iterator[T]:
    """Yield the items of an iterable while a ``Bar`` counts them."""
    with Bar(title, total, unit) as bar:
        for item in items:
            yield item
            bar.advance()


def text_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Draw a table in plain text; a last column of numbers is set right.

    Args:
        title: Above it.
        header: Names of the columns.
        rows: As many cells each.
    """
    rows = list(rows)
    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_edge=False)
    for at, name in enumerate(header):
        number = bool(rows) and all(isinstance(row[at], int | float) for row in rows)
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(str, row))
    out = io.StringIO()
    Console(file=out, width=TABLE_WIDTH, color_system=None, markup=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
