"""The endpoint under load: large bodies, saturation, twice its capacity, clients that mean ill."""

import asyncio
import logging
import os
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from mgray.dicom.example import example_file
from mgray.recipes.bench.cold import from_zero_note
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.crowd import crowd
from mgray.recipes.bench.figures import Comparison, Measured, percentile
from mgray.recipes.bench.memory import descendants, memory
from mgray.recipes.bench.recovery import GIVE_UP_S, PARTS, recovery_note
from mgray.recipes.bench.serving import Ask, in_process, latencies, synthetic_images
from mgray.recipes.endpoint import Served, endpoint

SATURATING: Final = 8
"""Clients that keep every replica busy."""
CROWD: Final = 1000
"""Connections of each bad kind."""

log = logging.getLogger(__name__)


def measure_load(config: BenchConfig, work: Path) -> Measured:
    """Compare with the same work in this process, then load the endpoint twice over.

    Args:
        config: Turns, requests, seconds of load.
        work: Holds ``archive`` and a fused model.
    """
    bodies, model = synthetic_images(work / "archive"), work / "train" / "models" / "fused"
    local = in_process(model, SATURATING)
    with ExitStack() as stack:
        started = time.monotonic()
        served = stack.enter_context(endpoint(model, config.out))
        notes = [f"cold start to ready: {time.monotonic() - started:.1f} s (goal 10)"]
        remote = stack.enter_context(asking(served))
        latencies(remote, bodies, SATURATING, 4 * len(bodies))
        comparisons = [
            large_bodies(config, remote, local),
            saturation(config, remote, local, bodies),
        ]
        for found in _unfriendly(config, served, bodies, max(comparisons[1].ours)):
            log.info("%s", found)
            notes.append(found)
    notes.append(from_zero_note(model, bodies[0], config.out))
    return Measured(comparisons, notes=notes)


def _unfriendly(
    config: BenchConfig, served: Served, bodies: Sequence[bytes], capacity: float
) -> Iterator[str]:
    for part in PARTS:  # first, while there is one replica of each
        yield asyncio.run(recovery_under_load(served, bodies, capacity / 2, part))
    yield from crowd_notes(config, served, bodies)
    yield from overload_notes(config, served, bodies, capacity)


def large_bodies(config: BenchConfig, remote: Ask, local: Ask) -> Comparison:
    """Median latency of one client with a body of ten megabytes."""
    body = large_body()
    turns = [
        [1000 * statistics.median(latencies(ask, [body], 1, 5)) for ask in (remote, local)]
        for _ in range(config.repeats)
    ]
    ours, bare = zip(*turns, strict=True)
    return Comparison(f"endpoint, {len(body) / 1e6:.0f} MB J2K, p50", "ms", ours, bare)


def large_body() -> bytes:
    """A full-size image of noise, which hardly compresses."""
    stored = np.zeros((3328, 2560), np.uint16)
    noise = np.random.default_rng(0).integers(1000, 3000, (3200, 2200))
    stored[64:-64, :2200] = noise
    return example_file(stored, "j2k", bits_stored=12)


def saturation(config: BenchConfig, remote: Ask, local: Ask, bodies: Sequence[bytes]) -> Comparison:
    """Images per second with every replica busy, beside threads in this process."""

    def rate(ask: Ask) -> float:
        start = time.perf_counter()
        latencies(ask, bodies, SATURATING, config.requests)
        return config.requests / (time.perf_counter() - start)

    turns = [[rate(ask) for ask in (remote, local)] for _ in range(config.repeats)]
    ours, bare = zip(*turns, strict=True)
    return Comparison(
        "endpoint at saturation", "images/s", ours, bare, is_rate=True, most_times=1 / 0.9
    )


@dataclass
class Tally:
    """What became of the requests of an open loop.

    Args:
        statuses: How many of each; 0 is a hang, 1 a connection that broke.
        accepted: Seconds of those that were answered.
        rejected: Seconds of those that were sent away.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)

    def take(self, status: int, seconds: float) -> None:
        """Note one answer."""
        self.statuses[status] += 1
        if status == httpx.codes.OK:
            self.accepted.append(seconds)
        elif status == httpx.codes.SERVICE_UNAVAILABLE:
            self.rejected.append(seconds)


def overload_notes(
    config: BenchConfig, served: Served, bodies: Sequence[bytes], capacity: float
) -> list[str]:
    """Ask twice as often as the endpoint can answer; first until all replicas have come."""
    alone = asyncio.run(open_loop(served, bodies, capacity / 4, min(10.0, config.load_s)))
    asyncio.run(open_loop(served, bodies, 2 * capacity, config.load_s))
    before = tree_bytes()
    crowded = asyncio.run(open_loop(served, bodies, 2 * capacity, config.load_s))
    after = tree_bytes()
    wrong = sum(n for status, n in crowded.statuses.items() if status not in (0, 200, 503, 504))
    told = ", ".join(f"{status}: {n}" for status, n in sorted(crowded.statuses.items()))
    return [
        f"{config.load_s:.0f} s at twice {capacity:.1f} images/s: {told}; "
        f"hangs {crowded.statuses[0]} (goal 0), other than 200, 503, 504: {wrong} (goal 0)",
        f"accepted p99 {_p99(crowded.accepted)} against {_p99(alone.accepted)} at a quarter of it; "
        f"503 within p99 {_p99(crowded.rejected)} (goal 100 ms)",
        f"memory from {before / 1e6:.0f} to {after / 1e6:.0f} MB, "
        f"{100 * (after - before) / max(before, 1):+.0f} % (goal 5)",
    ]


async def open_loop(
    served: Served, bodies: Sequence[bytes], per_second: float, seconds: float
) -> Tally:
    """Ask at fixed times, whether the answers have come or not."""
    tally = Tally()
    headers = {"Content-Type": "application/dicom", **served.headers()}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    async with httpx.AsyncClient(
        base_url=served.url, headers=headers, timeout=GIVE_UP_S, limits=limits
    ) as client:

        async def one(number: int) -> None:
            await asyncio.sleep(number / per_second)
            start = time.perf_counter()
            try:
                answer = await client.post("/v1/detect", content=bodies[number % len(bodies)])
                status = answer.status_code
            except httpx.TimeoutException:
                status = 0
            except httpx.TransportError:
                status = 1
            tally.take(status, time.perf_counter() - start)

        await asyncio.gather(*(one(number) for number in range(int(per_second * seconds))))
    return tally


async def recovery_under_load(
    served: Served, bodies: Sequence[bytes], per_second: float, part: str
) -> str:
    """Kill every replica of a part while others ask."""
    async with asyncio.TaskGroup() as group:
        others = group.create_task(open_loop(served, bodies, per_second, 2 * GIVE_UP_S))
        await asyncio.sleep(2)
        found = await asyncio.to_thread(recovery_note, served, bodies[0], part)
        others.cancel()
    return found


def crowd_notes(config: BenchConfig, served: Served, bodies: Sequence[bytes]) -> list[str]:
    """Measure an honest client while many others hold connections and send next to nothing."""

    def honest() -> list[float]:
        return asyncio.run(open_loop(served, bodies, 2.0, config.load_s / 2)).accepted

    alone = honest()
    with crowd(served.url, CROWD):
        crowded = honest()
    change = percentile(crowded, 99) / percentile(alone, 99) - 1
    return [
        f"{CROWD} slow and {CROWD} half-closed clients: p99 {_p99(crowded)} against "
        f"{_p99(alone)}, {100 * change:+.0f} % (goal 20)"
    ]


@contextmanager
def asking(served: Served) -> Iterator[Ask]:
    """Ask over HTTP."""
    headers = {"Content-Type": "application/dicom", **served.headers()}
    with httpx.Client(base_url=served.url, headers=headers, timeout=GIVE_UP_S) as client:
        yield lambda body: client.post("/v1/detect", content=body).raise_for_status()


def tree_bytes() -> int:
    """Memory of all processes that this one started."""
    return memory(descendants(os.getpid()))


def _p99(seconds: Sequence[float]) -> str:
    return f"{1000 * percentile(seconds, 99):.0f} ms" if seconds else "none"
