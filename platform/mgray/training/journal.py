"""A stage's metrics as files: JSON lines while it runs, CSV beside them, progress from both."""

import csv
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mgray.progress import Bar


class Journal:
    """Append rows to ``metrics.jsonl`` and rewrite ``metrics.csv`` at milestones.

    Args:
        folder: Stage folder; created.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.jsonl, self.csv = folder / "metrics.jsonl", folder / "metrics.csv"

    def rewind(self, step: int) -> None:
        """Forget rows after ``step``: an interrupted run wrote them and they will come again."""
        kept = [row for row in read_rows(self.jsonl) if 0 < row["step"] <= step]
        first = [row for row in read_rows(self.jsonl) if row["step"] == 0] if step else []
        self.jsonl.write_text("".join(json.dumps(row) + "\n" for row in first + kept))

    def write(self, row: Mapping[str, float | int]) -> None:
        """Append one row; it has a ``step``."""
        with self.jsonl.open("a") as file:
            file.write(json.dumps(dict(row)) + "\n")

    def write_csv(self) -> None:
        """Write all rows as CSV with the union of their columns; absent values are empty."""
        rows = read_rows(self.jsonl)
        names = list(dict.fromkeys(name for row in rows for name in row))
        with self.csv.open("w", newline="") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(rows)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a ``metrics.jsonl``; a missing file has no rows, a last torn line is left out."""
    if not path.is_file():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]


def steps_done(path: Path) -> int:
    """Return the last step that a ``metrics.jsonl`` tells of; fewer than asked for if it ended."""
    return max((int(row["step"]) for row in read_rows(path)), default=0)


@contextmanager
def follow(path: Path, title: str, steps: int, *, every_s: float = 0.5) -> Iterator[None]:
    """Show progress and ETA of a running stage by reading its ``metrics.jsonl``.

    Args:
        path: The file; other processes append to it.
        title: What is being done.
        steps: Steps of the whole stage.
        every_s: Seconds between two looks.
    """
    stop = threading.Event()
    with Bar(title, steps, "steps") as bar:

        def look() -> None:
            done = steps_done(path)
            losses = [row["loss"] for row in read_rows(path) if "loss" in row]
            if done > bar.done:
                bar.advance(done - bar.done, f"loss {losses[-1]:.4f}" if losses else "")

        def watch() -> None:
            while not stop.wait(every_s):
                look()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            look()
