"""From an archive to an image table, on Ray Data.

Catalog, then chunks of files; every chunk is one task, one shard and one ledger; then what needs
all rows (duplicates, partners); then quarantine and manifest. Each pass looks at what lies in the
folder and does the next thing that is missing, so an interrupted run continues and a finished one
is left alone. This module holds what is Ray's; the rest is in ``run`` and ``update``.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from types import TracebackType
from typing import Any, Final

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from mgray.cluster import start_ray
from mgray.errors import DataError, MgrayError
from mgray.ingest.config import IngestConfig
from mgray.ingest.ledger import (
    Chunk,
    Ledger,
    chunk_from_json,
    ledger_from_json,
    outcomes,
)
from mgray.ingest.manifest import Manifest
from mgray.ingest.run import ingest_with, without_values
from mgray.ingest.worker import ChunkWorker, Job, apply_verdict

AT_ONCE: Final = 4096
"""Chunks of one run of Ray Data: their labels are in this process's memory."""
AGAIN: Final = "run the same command again to continue: finished shards are kept"


def ingest(config: IngestConfig) -> Manifest:
    """Bring the table in ``config.out`` up to date with the archive: ``ingest_with`` on Ray Data.

    A run that finds nothing to do changes nothing and does not start Ray.
    """
    return ingest_with(config, lambda job: RayRunner(job, config.workers))


class IngestTask:
    """A Ray Data worker that turns chunks into shards."""

    def __init__(self, job: Job) -> None:
        self.worker = ChunkWorker(job)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Ingest the chunk of a batch; say what became of its files."""
        return _told(lambda text: outcomes(self.worker.ingest(chunk_from_json(text))), batch)


class SettleTask:
    """A Ray Data worker that makes shards say what their settled ledgers say."""

    def __init__(self, job: Job) -> None:
        self.out = job.out

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Rewrite the shard of a batch."""
        return _told(self._settle, batch)

    def _settle(self, text: str) -> int:
        apply_verdict(self.out, ledger_from_json(text))
        return 1


class RayRunner:
    """The Ray of ``start_ray``, started when first needed, ended if it was started here."""

    def __init__(self, job: Job, workers: int | None) -> None:
        self.job, self.workers, self._started = job, workers, False

    def __enter__(self) -> "RayRunner":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._started:
            ray.shutdown()

    def ingest(self, chunks: Iterable[Chunk]) -> Iterator[Mapping[str, int]]:
        """Turn chunks into shards; yield ``ledger.outcomes`` of each, as it ends."""
        return self._run(IngestTask, chunks)

    def settle(self, ledgers: Sequence[Ledger]) -> Iterator[int]:
        """Make shards say what their settled ledgers say; yield 1 for each."""
        return self._run(SettleTask, ledgers)

    def _run(
        self, task: type[IngestTask | SettleTask], items: Iterable[Chunk | Ledger]
    ) -> Iterator[Any]:
        rest = iter(items)
        while some := list(islice(rest, AT_ONCE)):
            self._start()
            yield from self._run_some(task, [{"item": json.dumps(asdict(one))} for one in some])

    def _run_some(
        self, task: type[IngestTask | SettleTask], texts: list[dict[str, str]]
    ) -> Iterator[Any]:
        results = ray.data.from_items(texts, override_num_blocks=len(texts)).map_batches(
            task,
            fn_constructor_args=(self.job,),
            batch_size=1,
            compute=ActorPoolStrategy(size=self._size(len(texts))),
            num_cpus=1,
        )
        try:
            for row in results.iter_rows():
                done = json.loads(row["done"])
                if isinstance(done, str):
                    raise DataError(f"a worker failed: {done}; {AGAIN}")
                yield done
        except RayError as error:
            raise DataError(f"a worker failed: {type(error).__name__}; {AGAIN}") from error

    def _size(self, items: int) -> int:
        resources = ray.cluster_resources()
        processors = int(resources.get("CPU", 1))
        return max(1, min(self.workers or processors, processors, items))

    def _start(self) -> None:
        DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        self._started |= start_ray(self.workers)


def _told(work: Callable[[str], Any], batch: Mapping[str, Any]) -> dict[str, list[str]]:
    """Do the work of a batch of one; say what came of it, or the one line of what went wrong.

    An exception would reach the driver as Ray's, with a page of traceback and without its text.
    """
    (item,) = batch["item"]
    try:
        with without_values():
            return {"done": [json.dumps(work(item))]}
    except MgrayError as error:
        return {"done": [json.dumps(str(error))]}
