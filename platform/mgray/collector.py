"""Python's cycle collector, paused while millions of small objects are made that form no cycle.

It looks at all of them again and again as their number grows: half of the time of pairing a million
breasts, and a fifth of reading their catalog.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Pause the collector; also fit as a decorator. What was off before stays off."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
