"""The endpoint over HTTP against decoder and predictor in this process: the same DICOM bytes."""

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import httpx
import torch

from mgray.dicom.record import read_record
from mgray.inference.predictor import Predictor
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured, percentile
from mgray.recipes.bench.memory import PeakMemory
from mgray.recipes.endpoint import endpoint

CLIENTS: Final = (1, 4)
PERCENTS: Final = (50, 99)
IMAGES: Final = 8
"""Different images that clients send in turn."""
Ask = Callable[[bytes], object]


def measure_serving(config: BenchConfig, work: Path) -> Measured:
    """Compare latencies for one client and for four at once.

    Args:
        config: How many requests, and how often.
        work: Holds ``archive`` and a fused model.
    """
    bodies = synthetic_images(work / "archive")
    model = work / "train" / "models" / "fused"
    local = in_process(model, max(CLIENTS))
    with ExitStack() as stack:
        with PeakMemory() as peak:
            remote = stack.enter_context(_served(model, config.out))
            latencies(remote, bodies, max(CLIENTS), 4 * len(bodies))
        comparisons = [
            one
            for clients in CLIENTS
            for one in compare_latencies(_turns(config, (remote, local), bodies, clients), clients)
        ]
    return Measured(comparisons, {"serve": peak.bytes})


def latencies(ask: Ask, bodies: Sequence[bytes], clients: int, requests: int) -> list[float]:
    """Seconds from question to answer of each request.

    Args:
        ask: Sends a body and waits for the answer; called from ``clients`` threads.
        bodies: Sent in turn.
        clients: How many ask at once; each asks again when it has its answer.
        requests: Of all clients together.
    """

    def one(number: int) -> float:
        start = time.perf_counter()
        ask(bodies[number % len(bodies)])
        return time.perf_counter() - start

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(requests)))


def compare_latencies(turns: Sequence[Sequence[Sequence[float]]], clients: int) -> list[Comparison]:
    """A comparison for each percentile.

    Args:
        turns: For each turn, the seconds over HTTP and those in this process.
        clients: Who asked at once.
    """
    who = "1 client" if clients == 1 else f"{clients} clients"
    found = []
    for percent in PERCENTS:
        ours, bare = ([1000 * percentile(turn[side], percent) for turn in turns] for side in (0, 1))
        found.append(Comparison(f"endpoint, {who}, p{percent}", "ms", ours, bare))
    return found


def in_process(model: Path, copies: int) -> Ask:
    """Decode and predict here, on one thread for each who asks."""
    torch.set_num_threads(1)
    idle: SimpleQueue[Predictor] = SimpleQueue()
    for _ in range(copies):
        idle.put(Predictor.load(model))

    def ask(body: bytes) -> object:
        record = read_record(body)
        predictor = idle.get()
        try:
            return predictor.predict([{str(predictor.meta.inputs[0]): record.columns}])
        finally:
            idle.put(predictor)

    return ask


def _turns(
    config: BenchConfig, sides: Sequence[Ask], bodies: Sequence[bytes], clients: int
) -> list[list[list[float]]]:
    for ask in sides:
        latencies(ask, bodies, clients, len(bodies))
    title = f"time {clients} at once"
    return [
        [latencies(ask, bodies, clients, config.requests) for ask in sides]
        for _ in track(range(config.repeats), title, config.repeats, "turns")
    ]


@contextmanager
def _served(model: Path, folder: Path) -> Iterator[Ask]:
    with endpoint(model, folder) as served:
        headers = {"Content-Type": "application/dicom", **served.headers()}
        with httpx.Client(base_url=served.url, headers=headers, timeout=120) as client:
            yield lambda body: client.post("/v1/detect", content=body).raise_for_status()


def synthetic_images(archive: Path) -> list[bytes]:
    """Read the first synthetic images of an archive of phantoms."""
    with (archive / "exams.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["image_kind"] == "synthetic_2d"]
    return [(archive / row["path"]).read_bytes() for row in rows[:IMAGES]]
