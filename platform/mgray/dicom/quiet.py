"""Silence for the libraries whose warnings and log lines hold attribute values."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

SILENCED: Final = ("pydicom", "highdicom", "openjpeg", "rle", "pylibjpeg")
"""Loggers; what those below them say passes through here."""
_NOWHERE: Final = logging.NullHandler()


class _Silence:
    """One for the whole process: it begins with the first who asks and ends with the last."""

    def __init__(self) -> None:
        self.lock, self.holders, self.kept = threading.Lock(), 0, ExitStack()

    def enter(self) -> None:
        with self.lock:
            self.holders += 1
            if self.holders == 1:
                self.kept.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                for name in SILENCED:
                    self.kept.enter_context(_dumb(logging.getLogger(name)))

    def leave(self) -> None:
        with self.lock:
            self.holders -= 1
            if not self.holders:
                self.kept.close()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom, highdicom and the codecs; threads may overlap."""
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()


@contextmanager
def _dumb(logger: logging.Logger) -> Iterator[None]:
    handlers, passed_on = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [_NOWHERE], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, passed_on


_silence: Final = _Silence()
