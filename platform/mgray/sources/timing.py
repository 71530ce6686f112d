"""When exams were: their order for each patient; dates themselves never enter a table."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date


class Timeline:
    """Exams of each patient by time.

    Args:
        exams: Patient and time of each, ``None`` where unknown; times compare with each other.
    """

    def __init__(self, exams: Iterable[tuple[str | None, int | None]] = ()) -> None:
        self.times: dict[str, set[int]] = defaultdict(set)
        for patient, time in exams:
            self.add(patient, time)

    def add(self, patient: str | None, time: int | None) -> None:
        """Note an exam; a second one at the same time is the same place in the order."""
        if patient is not None and time is not None:
            self.times[patient].add(time)

    def order(self, patient: str | None, time: int | None) -> int | None:
        """Tell the place of an exam among its patient's, from 0; ``None`` if that is not known."""
        if patient is None or time is None:
            return None
        return sum(earlier < time for earlier in self.times[patient])


def day_number(text: object) -> int | None:
    """Read a date, ``2012-01-05`` or ``20120105``, as a number of days; ``None`` if it is none."""
    try:
        return date.fromisoformat(str(text)[:10]).toordinal()
    except ValueError:
        return None
