"""One ingest from config to manifest, whoever runs the work; knows nothing of Ray."""

import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from mgray.errors import DataError, MgrayError, NotFoundError, TooManyRejectedError
from mgray.files import only_writer
from mgray.ingest.config import IngestConfig
from mgray.ingest.listing import Files
from mgray.ingest.manifest import Manifest
from mgray.ingest.plan import key_for_reading, plan, report
from mgray.ingest.private import write_paths
from mgray.ingest.pseudonym import Pseudonyms, load_key
from mgray.ingest.row import RowMaker
from mgray.ingest.tally import Tally, summary
from mgray.ingest.update import Runner, check_archive, finish, update_table
from mgray.ingest.worker import Job
from mgray.schema import READER_VERSION, TABLE_VERSION
from mgray.sources.csv_table import CsvSource
from mgray.sources.ddsm import DdsmSource
from mgray.sources.registry import SOURCES
from mgray.sources.source import Catalog, Source

log = logging.getLogger(__name__)


def ingest_with(
    config: IngestConfig, start: Callable[[Job], AbstractContextManager[Runner]]
) -> Manifest:
    """Bring the table in ``config.out`` up to date with the archive.

    Args:
        config: What to ingest.
        start: Gives what runs the work, for the time of the work.

    Returns:
        What the table holds.

    Raises:
        NotFoundError: The archive or its tables are missing, or it lists no file.
        ConfigError: A table of the archive cannot be understood.
        DataError: Files were lost, a patient is in two splits, another ingest writes into ``out``,
            or the table cannot be written.
        TooManyRejectedError: After all is written, if more than ``max_rejected`` were refused.
    """
    with without_paths():
        return _ingest(config, start)


@contextmanager
def without_paths() -> Iterator[None]:
    """Turn faults of the file system into errors that name no path; dashboards show them."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise DataError(
            f"a file of the archive or of the table cannot be read or written: {why}"
        ) from None


@contextmanager
def without_values() -> Iterator[None]:
    """As ``without_paths``, for what reads an archive: a fault of ours tells type and line alone.

    The text of an exception may hold a label or a tag's value; Ray shows it to all who see its
    dashboard and keeps it in its logs.
    """
    with without_paths():
        try:
            yield
        except (MgrayError, OSError):
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            raise DataError(f"unexpected {type(error).__name__} at {where}: a bug") from None


def _ingest(
    config: IngestConfig, start: Callable[[Job], AbstractContextManager[Runner]]
) -> Manifest:
    source = _source(config)
    if config.dry_run and config.source == "samples" and not config.archive.is_dir():
        raise NotFoundError("a dry run writes nothing, so it copies no samples: ingest them first")
    with without_values():
        catalog = source.catalog(config.archive)
    if not catalog.rows:
        raise NotFoundError(f"{str(config.archive)!r} lists no file: is it the archive's folder?")
    if config.dry_run:
        return _dry_run(config, source, catalog)
    config.out.mkdir(parents=True, exist_ok=True)
    with only_writer(config.out):
        return _update(config, source, catalog, start)


def _source(config: IngestConfig) -> Source:
    """Find the source; two of them are told more than the archive."""
    match config.source:
        case "csv":
            return CsvSource(config.csv)
        case "ddsm":
            return DdsmSource(config.ljpeg_decoder)
    return SOURCES[config.source]


def _update(
    config: IngestConfig,
    source: Source,
    catalog: Catalog,
    start: Callable[[Job], AbstractContextManager[Runner]],
) -> Manifest:
    job = _job(config, source, catalog, load_key(config.out))
    files, tally = Files(job.archive, catalog.rows, job.rows.ids), Tally()
    if not config.may_shrink:
        check_archive(job.out, files)
    with start(job) as runner:
        ledgers = update_table(job, files, config.images_per_shard, runner, tally)
    manifest = finish(job, source, catalog, ledgers)
    if config.private_paths:
        write_paths(job.out, (row.path for row in catalog.rows), job.rows.ids)
    _report(manifest, tally)
    _check_refused(manifest, config)
    return manifest


def _dry_run(config: IngestConfig, source: Source, catalog: Catalog) -> Manifest:
    job = _job(config, source, catalog, key_for_reading(config.out))
    made = plan(job, Files(job.archive, catalog.rows, job.rows.ids), config.workers)
    report(made)
    _check_refused(made.manifest, config)
    return made.manifest


def _job(config: IngestConfig, source: Source, catalog: Catalog, key: bytes) -> Job:
    ids = Pseudonyms(key, source.name)
    versions = [TABLE_VERSION, READER_VERSION, source.adapter_version]
    stamp = [*versions, str(config.split_seed), ids.check()]
    stamp.append(config.volumes)
    stamp += ["blanked"] * config.blank_outside_breast
    stamp += [config.cropper] * (config.cropper != "p1")
    stamp += [f"{config.resolution}px"] * (config.resolution is not None)
    return Job(
        archive=config.archive.resolve(),
        out=config.out.resolve(),
        stamp="-".join(stamp),
        limits=config.limits,
        volumes=config.volumes,
        blank_outside_breast=config.blank_outside_breast,
        cropper=config.cropper,
        resolution=config.resolution,
        retry=config.retry,
        rows=RowMaker(
            ids, source.licence_tag, source.adapter_version, config.split_seed, catalog.described
        ),
        by_uid=catalog.by_uid,
    )


def _report(manifest: Manifest, tally: Tally) -> None:
    log.info("%s", summary(manifest, str(tally)))
    for warning in manifest.warnings:
        log.info("warning: %d %s", warning.count, warning.text)
    told = manifest.alignment
    if told.measured:
        log.info(
            "%d pairs laid on each other: median Dice %.3f, median centroid offset %.3f",
            told.measured, told.dice_median, told.centroid_offset_median,
        )  # fmt: skip
    log.info(
        "%d files: %d images of %d patients, %d pairs, %d refused",
        manifest.files, manifest.rows, manifest.patients, manifest.pairs, manifest.quarantined,
    )  # fmt: skip


def _check_refused(manifest: Manifest, config: IngestConfig) -> None:
    if config.max_rejected is not None and manifest.quarantined > config.max_rejected:
        raise TooManyRejectedError(
            f"{manifest.quarantined} of {manifest.files} files were refused, more than "
            f"max_rejected={config.max_rejected}: see quarantine.parquet for reasons, or allow more"
        )
