"""Tests of mgray.progress."""

import logging
import time

import pytest

from mgray import progress
from mgray.progress import Bar, text_table, track


def test_line_tells_done_total_unit_and_eta():
    with Bar("decode", 4) as bar:
        bar._start = time.monotonic() - 10
        bar.done = 2
        assert bar.line("loss 0.31") == "decode: 2/4 images, loss 0.31, ETA 10 s"


def test_end_is_logged(caplog):
    with caplog.at_level(logging.INFO), Bar("decode", 2) as bar:
        bar.advance(2)
    assert "decode: 2 images in" in caplog.text


def test_a_line_appears_when_the_time_has_come(caplog, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO), Bar("decode", 2, "files") as bar:
        bar.advance()
        assert "decode: 1/2 files, ETA" in caplog.text


def test_nothing_is_claimed_after_a_failure(caplog):
    with caplog.at_level(logging.INFO), pytest.raises(ValueError, match="boom"), Bar("decode", 2):
        raise ValueError("boom")
    assert caplog.text == ""


def test_track_yields_every_item_once():
    assert list(track([1, 2, 3], "count", 3)) == [1, 2, 3]


def test_table_is_plain_text_with_numbers_set_right_and_nothing_read_as_markup():
    lines = text_table("title", ("what", "files"), [("[red]", 5), ("b", 123)]).splitlines()
    assert lines[0] == "title"
    assert [line for line in lines if line.endswith("  5") and "[red]" in line]
    assert not any("\x1b" in line for line in lines)
