"""What a search has done so far: a line of JSON for each event, from which all else follows.

A search that is killed at any moment goes on from here. Only the driver writes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

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
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials: dict[int, Trial] = {}
        text = path.read_text() if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole)
        for line in whole.splitlines():
            self._take(json.loads(line))

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

    def _add(self, event: Mapping[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(event, allow_nan=False) + "\n")
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
