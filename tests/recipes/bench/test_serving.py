import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mgray.inference.predictor import Detection
from mgray.models.saved import build_model, save_model
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.serving import compare_latencies, in_process, latencies, measure_serving
from mgray.recipes.endpoint import Served, find_token
from tests.networks import small_meta


@pytest.fixture(scope="module")
def work(phantom_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the bench has made when it comes to serving: an archive and a small fused model."""
    torch.manual_seed(0)
    meta = small_meta()
    folder = tmp_path_factory.mktemp("work")
    (folder / "archive").symlink_to(phantom_archive)
    (folder / "train" / "models").mkdir(parents=True)
    save_model(folder / "train" / "models" / "fused", build_model(meta), meta)
    return folder


def test_each_request_has_its_seconds() -> None:
    assert min(latencies(lambda _: time.sleep(0.02), [b"x"], clients=1, requests=5)) >= 0.02


def test_bodies_are_sent_in_turn() -> None:
    sent: list[bytes] = []
    latencies(sent.append, [b"a", b"b"], clients=1, requests=5)
    assert sent == [b"a", b"b", b"a", b"b", b"a"]


def test_clients_ask_at_once() -> None:
    together = threading.Barrier(4)
    assert len(latencies(lambda _: together.wait(10), [b"x"], clients=4, requests=8)) == 8


def test_a_failed_request_ends_the_bench() -> None:
    def ask(body: bytes) -> object:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        latencies(ask, [b"x"], clients=2, requests=2)


def test_percentiles_are_taken_in_each_turn_and_told_in_milliseconds() -> None:
    over_http, here = [0.002] * 99 + [0.2], [0.001] * 100
    p50, p99 = compare_latencies([(over_http, here), (over_http, here)], clients=4)
    assert p50.what == "endpoint, 4 clients, p50"
    assert list(p50.ours) == pytest.approx([2.0, 2.0])
    assert p99.ours[0] > 2.0
    assert list(p99.bare) == pytest.approx([1.0, 1.0])


def test_the_answer_in_this_process_is_detections(work: Path, phantom_archive: Path) -> None:
    body = next((phantom_archive / "images").glob("*.dcm")).read_bytes()
    ask = in_process(work / "train" / "models" / "fused", copies=1)
    (found,) = ask(body)  # type: ignore[misc]  # what is asked is opaque to the clock
    assert isinstance(found[0], Detection)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of 100 MiB that answers as the endpoint does, and nothing else."""

    @contextmanager
    def endpoint(model: Path, folder: Path) -> Iterator[Served]:
        command = [sys.executable, "-c", STAND_IN]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            yield Served(url, find_token(folder))
            server.kill()

    monkeypatch.setattr("mgray.recipes.bench.serving.endpoint", endpoint)


STAND_IN = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
held = b"x" * (100 * 2**20)
class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        whole = self.path == "/v1/detect" and body[128:132] == b"DICM"
        self.send_response(200 if whole else 400)
        self.end_headers()
    def log_message(self, *words):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.mark.usefixtures("stand_in")
def test_the_endpoint_is_compared_and_its_memory_taken(work: Path, tmp_path: Path) -> None:
    config = BenchConfig(out=tmp_path, repeats=1, requests=4)
    measured = measure_serving(config, work)
    assert [one.what for one in measured.comparisons] == [
        "endpoint, 1 client, p50", "endpoint, 1 client, p99",
        "endpoint, 4 clients, p50", "endpoint, 4 clients, p99",
    ]  # fmt: skip
    assert all(min(*one.ours, *one.bare) > 0 for one in measured.comparisons)
    assert 100 * 2**20 < measured.peaks["serve"] < 200 * 2**20
