"""The load generator, against a server of a few lines that answers as it is told."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mgray.dicom.record import read_record
from mgray.recipes.bench import load
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.load import (
    GIVE_UP_S,
    Tally,
    crowd_notes,
    large_body,
    open_loop,
    overload_notes,
    recovery_under_load,
    saturation,
)
from mgray.recipes.endpoint import Served
from tests.nodes import wait_for


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Answers 200, 503, 200 ... to whoever has the token, and 401 to others."""
    statuses = itertools.cycle((200, 503))

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))  # a cut head has none
            knows = self.headers["Authorization"] == "Bearer sesame"
            self.send_response(next(statuses) if knows else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    (tmp_path / "token").write_text("sesame\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        yield Served(f"http://127.0.0.1:{server.server_port}", tmp_path / "token")
        server.shutdown()


def test_an_open_loop_asks_at_its_own_times(served: Served) -> None:
    start = time.monotonic()
    tally = asyncio.run(open_loop(served, [b"a", b"b"], per_second=20, seconds=0.5))
    assert time.monotonic() - start >= 0.45
    assert tally.statuses == {200: 5, 503: 5}
    assert len(tally.accepted) == len(tally.rejected) == 5


def test_a_connection_that_breaks_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame")
    nobody = Served("http://127.0.0.1:9", tmp_path / "token")
    assert asyncio.run(open_loop(nobody, [b"a"], 20, 0.1)).statuses == {1: 2}


def test_overload_is_told_with_its_goals(served: Served, tmp_path: Path) -> None:
    config = BenchConfig(out=tmp_path, load_s=0.5)
    first, second, third = overload_notes(config, served, [b"a"], capacity=40.0)
    assert "200: 20, 503: 20" in first
    assert "hangs 0 (goal 0)" in first
    assert "(goal 100 ms)" in second
    assert third.endswith("% (goal 5)")


def test_a_part_is_killed_while_others_ask_and_they_end_with_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally, per_second = Tally(), 20.0

    def note(served: Served, body: bytes, part: str) -> str:
        before = tally.statuses.total()
        wait_for(lambda: tally.statuses.total() > before)
        return f"{part} killed"

    monkeypatch.setattr(load, "Tally", lambda: tally)
    monkeypatch.setattr(load, "recovery_note", note)
    told = asyncio.run(recovery_under_load(served, [b"a"], per_second, "Decoder"))
    assert told == "Decoder killed"
    assert tally.statuses.total() < per_second * 2 * GIVE_UP_S, "they asked on to their end"


def test_honest_clients_are_measured_beside_bad_ones(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mgray.recipes.bench.load.CROWD", 3)
    (note,) = crowd_notes(BenchConfig(out=tmp_path, load_s=2), served, [b"a"])
    assert note.startswith("3 slow and 3 half-closed clients: p99 ")


def test_saturation_has_a_goal(tmp_path: Path) -> None:
    found = saturation(
        BenchConfig(out=tmp_path, repeats=2, requests=4), lambda _: None, lambda _: None, [b"a"]
    )
    assert len(found.ours) == len(found.bare) == 2
    assert found.is_rate
    assert found.most_times == pytest.approx(1.11, abs=0.01)


def test_the_large_body_is_a_mammogram_of_about_ten_megabytes() -> None:
    body = large_body()
    assert 8e6 < len(body) < 14e6
    assert read_record(body).columns["rows"] == 3328
