import io
import logging
import threading
import warnings

import pytest

from mgray.dicom.quiet import SILENCED, quiet


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Let every silenced logger, and one below each, say something; returns what was heard."""
    caplog.clear()
    for name in SILENCED:
        logging.getLogger(name).error("Doe^Jane")
        logging.getLogger(f"{name}.part").error("Doe^Jane")
    return caplog.messages


def test_nothing_is_heard_inside_and_all_outside(caplog: pytest.LogCaptureFixture) -> None:
    everything = 2 * len(SILENCED)
    assert len(said(caplog)) == everything
    with quiet():
        assert said(caplog) == []
        with quiet():
            pass
        assert said(caplog) == []
    assert len(said(caplog)) == everything


@pytest.mark.parametrize("name", SILENCED)
def test_a_logger_s_own_handler_is_silent_too(name: str) -> None:
    heard = io.StringIO()
    handler, logger = logging.StreamHandler(heard), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        with quiet():
            logger.error("Doe^Jane")
        assert heard.getvalue() == ""
        assert handler in logger.handlers
    finally:
        logger.removeHandler(handler)


def test_warnings_are_dropped_inside_only() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with quiet():
            warnings.warn("Doe^Jane", stacklevel=1)
        assert not heard
        warnings.warn("a warning", stacklevel=1)
        assert len(heard) == 1


def test_a_thread_that_leaves_does_not_end_the_silence_of_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, left = threading.Event(), threading.Event()

    def other() -> None:
        with quiet():
            begun.set()
            left.wait()

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    with quiet():
        left.set()
        thread.join()
        assert said(caplog) == []
    assert len(said(caplog)) == 2 * len(SILENCED)
