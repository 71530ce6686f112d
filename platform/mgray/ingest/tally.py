"""What a person sees of an ingest: a live note, and a table of what became of every file."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from mgray.errors import REJECT_REASONS
from mgray.ingest.manifest import Manifest
from mgray.progress import text_table

KEPT: Final = ""
"""What an outcome is called that is no refusal."""


class Tally:
    """Files done in this run, by what became of them; the clock runs from the first use."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._start = time.monotonic()

    def add(self, done: int | Mapping[str, int]) -> int:
        """Count ``ledger.outcomes`` of a chunk, or only files; return how many files that were."""
        found = Counter({KEPT: done} if isinstance(done, int) else done)
        self.outcomes += found
        return found.total()

    @property
    def files(self) -> int:
        """Files done so far."""
        return self.outcomes.total()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._start

    def note(self) -> str:
        """Say rate and refusals, e.g. ``12.5 images/s, refused 3: not_dicom 2, empty 1``."""
        refused = {reason: n for reason, n in self.outcomes.most_common() if reason != KEPT}
        reasons = ", ".join(f"{reason} {count}" for reason, count in refused.items())
        tail = f", refused {sum(refused.values())}: {reasons}" if refused else ", refused 0"
        return f"{self.files / max(self.seconds, 1e-9):.1f} images/s{tail}"

    def __str__(self) -> str:
        """Say what this run did, e.g. ``this run: 40 files in 3.2 s, 12.5 images/s``."""
        rate = f", {self.files / max(self.seconds, 1e-9):.1f} images/s" if self.files else ""
        return f"this run: {self.files} files in {self.seconds:.1f} s{rate}"


def summary(manifest: Manifest, title: str, kept: str = "in the table") -> str:
    """Make the table of all files by state, and kind or reason.

    Args:
        manifest: Counts.
        title: Above the table.
        kept: Word for what is not refused.
    """
    rows = [(kept, kind, "", count) for kind, count in manifest.rows_by_kind.items()]
    rows += [
        ("refused", reason, REJECT_REASONS[reason], count)
        for reason, count in manifest.quarantined_by_reason.items()
    ]
    rows.append(("all", "", "", manifest.files))
    return text_table(title, ("state", "kind or reason", "meaning", "files"), rows)
