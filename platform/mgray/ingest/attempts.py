"""Memory of killed workers: Ray starts a killed task again without end, a poison file must not.

A chunk's worker notes which file it is at. Only a death leaves the note behind; the next attempt
counts it against that file, and at the third the file is refused instead of tried again. A driver
counts only the deaths of its own run: what ended an earlier one, such as a lost machine, is not the
file's fault, and a poison file is refused by every run after as many deaths.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Final

MOST_DEATHS: Final = 3
SUFFIX: Final = ".at"


class Attempts:
    """The note of one chunk.

    Args:
        note: Where it lies; a note that was found counts as one death.
    """

    def __init__(self, note: Path) -> None:
        self._note = note
        self._deaths: Counter[int] = Counter(_read(note))

    def begin(self, index: int) -> bool:
        """Note that a file of the chunk is next; ``False`` if it has killed too often."""
        if self._deaths[index] >= MOST_DEATHS:
            return False
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.write_text(json.dumps([*self._deaths.elements(), index]))
        return True

    def clear(self) -> None:
        """Take the note away: the worker lives."""
        self._note.unlink(missing_ok=True)


def forget(folder: Path) -> None:
    """Take all notes away: a driver starts, or everything is done."""
    for note in folder.glob(f"*{SUFFIX}"):
        note.unlink(missing_ok=True)


def _read(note: Path) -> list[int]:
    try:
        return [int(index) for index in json.loads(note.read_text())]
    except (OSError, ValueError, TypeError):
        return []
