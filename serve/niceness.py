"""Who computes gives way to who answers, so that a refusal is quick while every core is busy."""

import os
from typing import Final

LESS: Final = 10
"""Added to what Ray gives its workers: a tenth of the processor's time where both want it."""


def give_way() -> None:
    """Let this thread, and what threads and processes it starts from now on, wait for others."""
    os.nice(LESS)
