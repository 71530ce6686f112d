"""Deaths of processes and of a node while the real job runs on a cluster: nothing is lost.

The table of paths is in another order each time, and the workers are two or four.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mgray.errors import DataError
from tests.nodes import killable_nodes, sockets_left_open

ROOT = Path(__file__).parents[3]
NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}
DEATHS = ("node", "driver", *("child", "worker") * 5)
ROUNDS = max(1, round(0.3 * int(os.environ.get("MGRAY_CHAOS", "40")) / len(DEATHS)))


@pytest.fixture(scope="module")
def large(make_archive) -> Any:
    return make_archive(30)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head of two processors."""
    with killable_nodes(**NODE) as found:
        yield found


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_deaths_on_a_cluster_lose_nothing(cluster, large, tmp_path, seed):
    rng, out = random.Random(f"cluster {seed}"), tmp_path / "table"
    deaths = rng.sample(DEATHS, len(DEATHS))
    moments = sorted(rng.sample(range(1, 24), len(DEATHS)))
    table = large.list(f"catalog-{seed}.csv", rng)
    run = Job(cluster, large, table, out, workers=rng.choice([2, 4]))
    with sockets_left_open():
        node = cluster.add_node(**NODE)
        with run:
            run.wait_for(1)
            with pytest.raises(DataError, match="somebody else writes into"):
                large.ingest(out)
            for at, death in zip(moments, deaths, strict=True):
                run.wait_for(at)
                if death == "node":
                    cluster.remove_node(node, allow_graceful=False)
                    node = cluster.add_node(**NODE)
                else:
                    run.kill(death, rng)
            assert run.process.wait(200) == 0, run.log.read_text()
        cluster.remove_node(node)
    large.check(out)


class Job:
    """``python -m jobs.ingest`` on a cluster."""

    def __init__(self, cluster: Any, archive: Any, table: Path, out: Path, workers: int) -> None:
        limits = [f"limits.{name}={value}" for name, value in archive.limits.model_dump().items()]
        told = [
            f"archive={archive.root}",
            f"csv={table}",
            f"out={out}",
            f"workers={workers}",
            *limits,
        ]
        self.command = [sys.executable, "-m", "jobs.ingest", "csv", "images_per_shard=2", *told]
        self.env, self.out = os.environ | {"RAY_ADDRESS": cluster.address}, out
        self.log = out.with_name("log")

    def __enter__(self) -> "Job":
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.env, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait_for(self, shards: int) -> None:
        """Wait until so many shards are finished and somebody works at more."""
        while len(list((self.out / "ledger").glob("*.json"))) < shards or not processes("worker"):
            self._must_run()

    def kill(self, victim: str, rng: random.Random) -> None:
        """Kill one of its processes; a dead driver is started again."""
        if victim == "driver":
            self.__exit__()
            self.__enter__()
            return
        while not (found := processes(victim)):
            self._must_run()
        with suppress(ProcessLookupError):
            os.kill(rng.choice(found), signal.SIGKILL)

    def _must_run(self) -> None:
        time.sleep(0.01)
        if self.process.poll() is not None:
            raise AssertionError(f"the job ended too early: {self.log.read_text()}")


def processes(kind: str) -> list[int]:
    """This test's Ray workers that ingest, or their decode children."""
    worker = b"ray::MapWorker(MapBatches(IngestTask))"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            chain = ancestry(int(folder.name))
            names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in chain[:2]]
            is_child = b"mgray.dicom.child" in names[0]
            if os.getpid() in chain and worker in names[is_child] and is_child == (kind == "child"):
                found.append(chain[0])
    return sorted(found)


def ancestry(pid: int) -> list[int]:
    chain = [pid]
    while chain[-1] > 1:
        stat = Path(f"/proc/{chain[-1]}/stat").read_text()
        chain.append(int(stat.rpartition(")")[2].split()[1]))
    return chain
