"""What a search has done so far: a line of JSON for each event, from which all else follows.

A search that is killed at any moment goes on from here. Only the driver writes.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from mgray.errors import DataError
from tune.spaces import Sample

OBJECTIVE: Final = "fauc_1_plus"
LOW: Final = "fauc_1_plus_low"
HIGH: Final = "fauc_1_plus_high"
STEP: Final = "step"
Row = Mapping[str, float]
End = Literal["done", "stopped", "failed"]


@dataclass
class Trial:
    """One setting and what came of it.

    Attributes:
        number: From 0, in the order of the draws.
        sample: Dotted keys.
        reports: One row for each validation: ``step``, ``fauc_1_plus``, its interval if known.
        end: How it ended; None while it runs.
        error: What was said if it failed.
    """

    number: int
    sample: Sample
    reports: list[Row] = field(default_factory=list)
    end: End | None = None
    error: str = ""

    @property
    def last(self) -> Row:
        """The newest report; empty before the first."""
        return self.reports[-1] if self.reports else {}


class Ledger:
    """All trials of a search, on file.

    Args:
        path: JSON lines; made with the first event. A last line that was cut off is dropped.

    Raises:
        DataError: A line is damaged, or tells of a trial that never started.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials: dict[int, Trial] = {}
        content = path.read_bytes() if path.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise _damaged(path, number, line) from None

    def start(self, number: int, sample: Sample) -> None:
        """Begin a trial, or take one up again; its reports stand."""
        self._add({"trial": number, "start": sample})

    def report(self, number: int, row: Row) -> None:
        """Note a validation; one that is known already, of a trial taken up again, is no news."""
        if row[STEP] > self.trials[number].last.get(STEP, -1):
            self._add({"trial": number, "report": dict(row)})

    def end(self, number: int, how: End, error: str = "") -> None:
        """Note how a trial ended."""
        self._add({"trial": number, "end": how, "error": error})

    def open_numbers(self, total: int) -> list[int]:
        """Trials of the first ``total`` that have not ended well: failed ones are tried again."""
        ended = {n for n, trial in self.trials.items() if trial.end in ("done", "stopped")}
        return [number for number in range(total) if number not in ended]

    def unended(self, total: int) -> list[int]:
        """Trials of the first ``total`` that have not ended in any way, or not even begun."""
        ended = {n for n, trial in self.trials.items() if trial.end}
        return [number for number in range(total) if number not in ended]

    def _add(self, event: Mapping[str, Any]) -> None:
        _append(self.path, (json.dumps(event, allow_nan=False) + "\n").encode())
        self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        number = event["trial"]
        if "start" in event:
            trial = self.trials.setdefault(number, Trial(number, event["start"]))
            trial.end, trial.error = None, ""
        elif "report" in event:
            self.trials[number].reports.append(event["report"])
        else:
            self.trials[number].end = event["end"]
            self.trials[number].error = event["error"]


def _append(path: Path, line: bytes) -> None:
    """Add a whole line or nothing: on a full disk, what is there already is no start of another."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            while line:
                line = line[file.write(line) :]
        except OSError:
            file.truncate(size)
            raise


def _damaged(path: Path, number: int, line: bytes) -> DataError:
    return DataError(
        f"{path} line {number} is damaged ({line[:40]!r}): expected a JSON event of a trial that "
        "has started; restore the file, or delete this line, or give another out=DIR"
    )
