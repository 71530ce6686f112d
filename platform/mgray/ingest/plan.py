"""A dry run: every header is read and judged as an ingest would, no pixel is decoded.

Nothing is written. Headers are read in decode children, since they may be hostile, by as many
threads as there would be workers; Ray is not needed.
"""

import logging
import os
import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mgray.dicom.attributes import uid_name
from mgray.dicom.child import DecodeChild
from mgray.dicom.door import Hints
from mgray.dicom.record import FileRecord
from mgray.ingest.ledger import Entry, FileState, Ledger
from mgray.ingest.listing import Files
from mgray.ingest.manifest import Manifest, build_manifest
from mgray.ingest.pseudonym import KEY_FILE, KEY_VARIABLE, load_key
from mgray.ingest.settle import settle
from mgray.ingest.tally import KEPT, Tally, summary
from mgray.ingest.worker import ChunkWorker, Job
from mgray.progress import Bar, text_table

log = logging.getLogger(__name__)
SPOTS: Final = frozenset({"spot", "magnification"})
AT_ONCE: Final = 4096
"""Files that wait for a thread."""
COUNTED: Final = ("transfer_syntax_uid", "laterality", "view")
"""Columns of a row that are counted; the others, among them lookup tables, are let go."""


@dataclass(frozen=True)
class Plan:
    """What an ingest would do, as far as headers tell.

    Args:
        manifest: Counts, as an ingest would write them; of findings, boxes are not checked against
            the breast.
        syntaxes: Transfer syntax UID to files that would be rows.
        views: Side and view to files that would be rows.
    """

    manifest: Manifest
    syntaxes: Mapping[str, int]
    views: Mapping[str, int]


def plan(job: Job, files: Files, workers: int | None) -> Plan:
    """Judge all files by their headers.

    Args:
        job: As for an ingest; its folder of the table need not exist.
        files: All files of the archive.
        workers: Headers that are read at once; one a processor if not given.
    """
    job = replace(job, blank_outside_breast=False, resolution=None)  # there are no pixels
    seen: dict[str, Mapping[str, Any]] = {}
    entries, tally = [], Tally()
    with Bar("read headers", len(files), "files") as bar:
        for entry, counted in _judged(job, files, workers or os.cpu_count() or 1):
            entries.append(entry)
            if counted:
                seen[entry.file_id] = counted
            bar.advance(tally.add({entry.reason or KEPT: 1}), tally.note())
    ledgers = settle([Ledger("", job.stamp, "", 0, "", tuple(entries))], files.ranks).settled
    kept = [seen[entry.file_id] for entry in ledgers[0].entries if entry.reason is None]
    return Plan(
        build_manifest(ledgers, {}, []),
        Counter(row["transfer_syntax_uid"] for row in kept),
        Counter(f"{row['laterality']} {row['view']}" for row in kept),
    )


def report(made: Plan) -> None:
    """Log a plan as tables."""
    manifest = made.manifest
    log.info("%s", summary(manifest, "what an ingest would do", "a row"))
    syntaxes = [(uid_name(uid), count) for uid, count in sorted(made.syntaxes.items())]
    log.info("%s", text_table("codecs", ("transfer syntax", "files"), syntaxes))
    log.info("%s", text_table("views", ("side and view", "files"), sorted(made.views.items())))
    for warning in manifest.warnings:
        log.info("warning: %d %s", warning.count, warning.text)
    log.info(
        "dry run: %d files: %d images of %d patients, %d pairs, %d duplicates, %d refused; "
        "nothing was decoded or written",
        manifest.files, manifest.rows, manifest.patients, manifest.pairs,
        manifest.quarantined_by_reason.get("duplicate", 0), manifest.quarantined,
    )  # fmt: skip


def key_for_reading(out: Path) -> bytes:
    """Find the key of a table, or make one up that is kept nowhere."""
    if os.environ.get(KEY_VARIABLE) or (out / KEY_FILE).is_file():
        return load_key(out)
    return secrets.token_bytes(32)


def _judged(
    job: Job, files: Sequence[FileState], workers: int
) -> Iterator[tuple[Entry, Mapping[str, Any]]]:
    """Yield what would become of each file, in the order of files, and what is counted of a row."""
    local = threading.local()

    with ExitStack() as children:

        def judge(file: FileState) -> tuple[Entry, Mapping[str, Any]]:
            if not hasattr(local, "worker"):
                child = children.enter_context(DecodeChild(job.limits, job.volumes))
                local.worker = ChunkWorker(job, _header_reader(child))
            counted: dict[str, Any] = {}

            def keep(row: Mapping[str, Any]) -> None:
                counted.update((name, row[name]) for name in COUNTED)

            return local.worker.judge(file, keep), counted

        with ThreadPoolExecutor(workers) as pool:
            for at in range(0, len(files), AT_ONCE):
                yield from pool.map(judge, files[at : at + AT_ONCE])


def _header_reader(child: DecodeChild) -> Any:
    def read(path: Path, kind: str | None, hints: Hints | None = None) -> FileRecord:
        record = child.read_header(path, kind, hints)
        if not SPOTS.isdisjoint(record.columns["view_modifiers"]):
            record.columns["qc_flags"].append("spot_or_mag")  # else told with the pixels' flags
        return record

    return read
