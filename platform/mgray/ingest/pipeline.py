"""From an archive to an image table, on Ray Data.

Catalog, then chunks of files; every chunk is one task, one shard and one ledger; then what needs
all rows (duplicates, partners); then quarantine and manifest. Each pass looks at what lies in the
folder and does the next thing that is missing, so an interrupted run continues and a finished one
is left alone.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from mgray.config import fingerprint
from mgray.errors import DataError, MgrayError, NotFoundError, TooManyRejectedError
from mgray.ingest import manifest as manifests
from mgray.ingest.attempts import forget
from mgray.ingest.config import IngestConfig
from mgray.ingest.files import write_text
from mgray.ingest.ledger import (
    Chunk,
    FileState,
    Ledger,
    chunk_from_json,
    ledger_from_json,
    load_ledgers,
    split_into_chunks,
    state_of,
    still_true,
    sweep,
)
from mgray.ingest.manifest import Manifest
from mgray.ingest.pseudonym import Pseudonyms, load_key
from mgray.ingest.row import RowMaker
from mgray.ingest.settle import check_patients, settle
from mgray.ingest.shards import write_quarantine
from mgray.ingest.worker import ChunkWorker, Job, apply_verdict
from mgray.progress import Bar
from mgray.schema import TABLE_VERSION
from mgray.sources.csv_table import CsvSource
from mgray.sources.phantom import PhantomSource
from mgray.sources.samples import SamplesSource
from mgray.sources.source import Catalog, Source

PASSES: Final = (
    6  # ingest, drop lost duplicates, ingest these, settle, look again, and one to spare
)
OBJECT_STORE_BYTES: Final = 200 * 2**20  # only paths and counts travel
MOST_BLOCKS: Final = 4096
log = logging.getLogger(__name__)


def ingest(config: IngestConfig) -> Manifest:
    """Bring the table in ``config.out`` up to date with the archive.

    A run that finds nothing to do changes nothing and does not start Ray.

    Returns:
        What the table holds.

    Raises:
        NotFoundError: The archive or its tables are missing, or it lists no file.
        ConfigError: A table of the archive cannot be understood.
        DataError: Files were lost, or a patient is in two splits.
        TooManyRejectedError: After all is written, if more than ``max_rejected`` were refused.
    """
    with _without_paths():
        return _ingest(config)


def _ingest(config: IngestConfig) -> Manifest:
    source = _source(config)
    catalog = source.catalog(config.archive)
    if not catalog.rows:
        raise NotFoundError(f"{str(config.archive)!r} lists no file: is it the archive's folder?")
    config.out.mkdir(parents=True, exist_ok=True)
    job = _job(config, source, catalog)
    files = [
        state_of(job.archive, row.path, row.labels)
        for row in sorted(catalog.rows, key=lambda row: row.path)
    ]
    ledgers = _settled(job, files, config)
    manifest = _finish(job, source, catalog, ledgers)
    _report(manifest, config)
    return manifest


def _source(config: IngestConfig) -> Source:
    match config.source:
        case "phantom":
            return PhantomSource()
        case "samples":
            return SamplesSource()
        case "csv":
            return CsvSource(config.csv)


def _job(config: IngestConfig, source: Source, catalog: Catalog) -> Job:
    ids = Pseudonyms(load_key(config.out), source.name)
    stamp = [TABLE_VERSION, source.adapter_version, str(config.split_seed), ids.check()]
    return Job(
        archive=config.archive.resolve(),
        out=config.out.resolve(),
        stamp="-".join(stamp),
        limits=config.limits,
        rows=RowMaker(ids, source.licence_tag, source.adapter_version, config.split_seed),
        by_uid=catalog.by_uid,
    )


def _settled(job: Job, files: Sequence[FileState], config: IngestConfig) -> list[Ledger]:
    """Do what is missing until nothing is."""
    with _Cluster(config.workers) as cluster:
        for _ in range(PASSES):
            kept = _kept(job, files)
            done = {entry.path for ledger in kept for entry in ledger.entries}
            pending = [file for file in files if file.path not in done]
            verdict = settle(kept)
            if not (pending or verdict.lost or verdict.changed):
                forget(job.out / "ledger")
                return kept
            (job.out / manifests.FILE).unlink(missing_ok=True)
            if pending:
                name = job.rows.ids.shard
                chunks = split_into_chunks(pending, config.images_per_shard, name)
                with Bar("ingest", len(pending), "files") as bar:
                    cluster.run(IngestTask, job, chunks, bar)
            elif verdict.lost:
                sweep(job.out, [ledger for ledger in kept if ledger not in verdict.lost])
            else:
                with Bar("settle", len(verdict.changed), "shards") as bar:
                    cluster.run(SettleTask, job, verdict.changed, bar)
    raise DataError("the archive changes while it is ingested: run the same command again")


def _kept(job: Job, files: Sequence[FileState]) -> list[Ledger]:
    """Ledgers that still tell the truth; everything else in the folder is swept away."""
    by_path = {file.path: file for file in files}
    labels = {job.rows.ids.image(uid): labels for uid, labels in job.by_uid.items()}
    limits = fingerprint(job.limits)
    kept = [
        ledger
        for ledger in load_ledgers(job.out, job.stamp)
        if (ledger.limits == limits or not any(entry.reason for entry in ledger.entries))
        and still_true(ledger, by_path, labels, job.archive)
    ]
    if len(kept) < len(list((job.out / "ledger").glob("*.json"))):
        (job.out / manifests.FILE).unlink(missing_ok=True)
    sweep(job.out, kept)
    return kept


class IngestTask:
    """A Ray Data worker that turns chunks into shards."""

    def __init__(self, job: Job) -> None:
        self.worker = ChunkWorker(job)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[int]]:
        """Ingest the chunks of a batch; say how many files are done."""
        with _without_paths():
            done = [self.worker.ingest(chunk_from_json(item)) for item in batch["item"]]
        return {"done": [len(ledger.entries) for ledger in done]}


class SettleTask:
    """A Ray Data worker that makes shards say what their settled ledgers say."""

    def __init__(self, job: Job) -> None:
        self.out = job.out

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[int]]:
        """Rewrite the shards of a batch."""
        with _without_paths():
            for item in batch["item"]:
                apply_verdict(self.out, ledger_from_json(item))
        return {"done": [1] * len(batch["item"])}


class _Cluster:
    """The running Ray, that of ``RAY_ADDRESS``, or a local one; started when first needed."""

    def __init__(self, workers: int | None) -> None:
        self.workers, self._started = workers, False

    def __enter__(self) -> "_Cluster":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._started:
            ray.shutdown()

    def run(
        self,
        task: type[IngestTask | SettleTask],
        job: Job,
        items: Sequence[Chunk | Ledger],
        bar: Bar,
    ) -> None:
        """Run a task over all items on Ray Data.

        Raises:
            DataError: A worker failed.
        """
        self._start()
        texts = [{"item": json.dumps(asdict(item))} for item in items]
        blocks = min(len(texts), MOST_BLOCKS)
        results = ray.data.from_items(texts, override_num_blocks=blocks).map_batches(
            task,
            fn_constructor_args=(job,),
            batch_size=1,
            compute=ActorPoolStrategy(size=self._size(len(texts))),
            num_cpus=1,
        )
        try:
            for row in results.iter_rows():
                bar.advance(int(row["done"]))
        except MgrayError:
            raise
        except RayError as error:
            raise DataError(
                f"a worker failed ({type(error).__name__}): run the same command again to "
                "continue; finished shards are kept"
            ) from error

    def _size(self, items: int) -> int:
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's
        processors = int(resources.get("CPU", 1))
        return max(1, min(self.workers or processors, processors, items))

    def _start(self) -> None:
        DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        if ray.is_initialized():
            return
        self._started = True
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False)
            return
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # no dashboard, nothing listens outside
        ray.init(
            num_cpus=self.workers,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=OBJECT_STORE_BYTES,
            logging_level=logging.WARNING,
        )


@contextmanager
def _without_paths() -> Iterator[None]:
    """Ray shows exception texts on its dashboard: let none with a path out."""
    try:
        yield
    except OSError as error:
        raise DataError(f"the table cannot be written: {os.strerror(error.errno or 0)}") from None


def _finish(job: Job, source: Source, catalog: Catalog, ledgers: Sequence[Ledger]) -> Manifest:
    """Check and count; write quarantine and manifest unless they say so already."""
    check_patients(ledgers)
    entries = [entry for ledger in ledgers for entry in ledger.entries]
    ids = job.rows.ids
    notices = [*catalog.notices, *manifests.label_notices(catalog.by_uid, entries, ids)]
    told = {
        "name": source.name,
        "licence_tag": source.licence_tag,
        "adapter_version": source.adapter_version,
    }
    manifest = manifests.build_manifest(ledgers, told, notices)
    manifests.check_counts(manifest, [row.path for row in catalog.rows], ledgers)
    before = manifests.read_manifest(job.out)
    if before is not None and before.model_copy(update={"versions": manifest.versions}) == manifest:
        return before
    write_quarantine(job.out / "quarantine.parquet", manifests.quarantine_records(ledgers, ids))
    write_text(job.out / manifests.FILE, manifest.model_dump_json(indent=2))
    return manifest


def _report(manifest: Manifest, config: IngestConfig) -> None:
    for warning in manifest.warnings:
        log.info("warning: %d %s", warning.count, warning.text)
    log.info(
        "%d files: %d images of %d patients, %d pairs, %d refused",
        manifest.files, manifest.rows, manifest.patients, manifest.pairs, manifest.quarantined,
    )  # fmt: skip
    if config.max_rejected is not None and manifest.quarantined > config.max_rejected:
        raise TooManyRejectedError(
            f"{manifest.quarantined} of {manifest.files} files were refused, more than "
            f"max_rejected={config.max_rejected}: see quarantine.parquet for reasons, or allow more"
        )
