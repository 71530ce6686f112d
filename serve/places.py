"""How many images the endpoint holds at once: what bounds its memory and everybody's wait."""

from collections.abc import Iterator
from contextlib import contextmanager

from serve.counts import observe_held
from serve.problems import Problem


class Places:
    """Places for images that were read and are not yet answered.

    A body that is still on its way takes none: slow senders keep nobody out.

    Args:
        most: While so many are taken, nobody gets one.
    """

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    def check(self) -> None:
        """Refuse at once where a body would be read for nothing.

        Raises:
            Problem: 503, all places are taken.
        """
        if self.taken >= self.most:
            raise Problem("busy")

    @contextmanager
    def hold(self, images: int) -> Iterator[None]:
        """Take places for the images of one request; the last one may bring more than there are.

        Raises:
            Problem: 503, all places are taken.
        """
        self.check()
        self._take(images)
        try:
            yield
        finally:
            self._take(-images)

    def _take(self, images: int) -> None:
        self.taken += images
        observe_held(self.taken)
