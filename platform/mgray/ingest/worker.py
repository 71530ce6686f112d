"""One task's work: a chunk of files becomes one shard and its ledger. Knows nothing of Ray."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mgray.config import fingerprint
from mgray.dicom.blank import blank_outside_breast
from mgray.dicom.child import DecodeChild
from mgray.dicom.croppers import CropperName
from mgray.dicom.limits import Limits
from mgray.dicom.pixels import keep_resolution
from mgray.dicom.record import FileRecord, Volumes
from mgray.dicom.view import faces_left
from mgray.errors import Rejected
from mgray.files import sha256_of, sha256_within
from mgray.ingest.attempts import MOST_DEATHS, SUFFIX, Attempts
from mgray.ingest.ledger import (
    MISSING,
    OUT_OF_REACH,
    Chunk,
    Entry,
    FileState,
    Ledger,
    hash_labels,
    load_ledger,
    mask_states,
    save_ledger,
    shard_path,
)
from mgray.ingest.row import PAIRED, RowMaker, hash_row
from mgray.ingest.shards import open_shard, rewrite_shard
from mgray.sources.ballot import ballot_of

Reader = Callable[..., FileRecord]
"""Given a path, the source's word for its kind, and hints of ``read_file`` where there are any."""
TRIES: Final[Mapping[str, int]] = {"decoder_died": MOST_DEATHS, "timeout": 2}
"""How often a file is decoded that may be refused for what befell the machine."""


@dataclass(frozen=True)
class Job:
    """What all tasks of one ingest share.

    Args:
        archive: Root of the files' paths, absolute.
        out: Folder of the table, absolute.
        stamp: Fingerprint of all settings that shape a row.
        limits: What one file may cost.
        rows: Makes the rows.
        by_uid: Labels by raw SOP instance UID.
        volumes: What becomes of tomosynthesis volumes.
        blank_outside_breast: Blank the pixels outside the breast.
        cropper: Tells where the breast is.
        resolution: Long side of what is stored, pixels; full size if ``None``.
        retry: Reasons whose files are tried once more.
    """

    archive: Path
    out: Path
    stamp: str
    limits: Limits
    rows: RowMaker
    by_uid: Mapping[str, Mapping[str, Any]]
    volumes: Volumes = "refuse"
    blank_outside_breast: bool = False
    cropper: CropperName = "p1"
    resolution: int | None = None
    retry: tuple[str, ...] = ()


class ChunkWorker:
    """Ingests chunk after chunk with one long-lived decode child.

    A file that cannot be used becomes a quarantine record, never an exception. One that ends its
    child or takes too long is tried again, since a machine in trouble does that to any file. A
    chunk that is finished already, by an earlier attempt of the same task, is left as it is.

    Args:
        job: The archive and the table's folder.
        read: Decodes a file, told its kind; a ``DecodeChild`` of the worker's own if not given.
    """

    def __init__(self, job: Job, read: Reader | None = None) -> None:
        self.job, self.read = job, read or DecodeChild(job.limits, job.volumes, job.cropper).read

    def ingest(self, chunk: Chunk) -> Ledger:
        """Write the shard of a chunk, then its ledger."""
        job = self.job
        done = load_ledger(job.out, chunk.key, job.stamp)
        if done is not None:
            return done
        path = shard_path(job.out, chunk.key)
        attempts = Attempts(job.out / "ledger" / f"{chunk.key}{SUFFIX}")
        try:
            with open_shard(path) as write:
                entries = tuple(
                    self.judge(file, write, alive=attempts.begin(index))
                    for index, file in enumerate(chunk.files)
                )
        finally:
            attempts.clear()
        limits = fingerprint(job.limits)
        ledger = Ledger(chunk.key, job.stamp, limits, **_written(path), entries=entries)
        save_ledger(job.out, ledger)
        return ledger

    def judge(
        self, file: FileState, keep: Callable[[dict[str, Any]], None], *, alive: bool = True
    ) -> Entry:
        """Tell what becomes of a file.

        Args:
            file: Of the archive.
            keep: Given the row, if the file is one.
            alive: Whether the file may be tried; it killed its workers before if not.
        """
        masks = mask_states(self.job.archive, file.labels)
        told = {**file.labels, **masks}
        seen: dict[str, Any] = {"label_hash": hash_labels(told, self.job.rows.ids)}
        path = self.job.archive / file.path
        try:
            if file.size == MISSING:
                raise Rejected("unreadable", "no such file below the archive")
            if file.size == OUT_OF_REACH:
                raise Rejected(
                    "unreadable", "the storage does not say whether there is such a file"
                )
            if not alive:
                raise Rejected("decoder_died", f"killed its worker {MOST_DEATHS} times")
            record = self._read(path, file)
            if self.job.blank_outside_breast:
                record = blank_outside_breast(record)
            if self.job.resolution is not None:
                smaller = keep_resolution(record.columns, self.job.resolution)
                record = replace(record, columns=smaller)
            labels = {**file.labels, **self.job.by_uid.get(record.identity.sop_instance_uid, {})}
            seen["image_id"] = self.job.rows.ids.image(record.identity.sop_instance_uid)
            # before the row is made: other labels may save a refused file
            seen["label_hash"] = hash_labels({**labels, **masks}, self.job.rows.ids)
            seen |= self._row(file.path, record, labels, keep)
        except Rejected as error:
            seen |= {"reason": error.reason, "detail": error.detail}
            seen["sha256"] = self._hash(path, file.size)
        return Entry(self.job.rows.ids.file(file.path), file.size, file.mtime_ns, **seen)

    def _read(self, path: Path, file: FileState) -> FileRecord:
        """Decode a file, again if the machine may have been at fault and the bytes can be had."""
        tried: Counter[str] = Counter()
        hints = hints_of(file.labels, self.job.archive)
        told: tuple[Any, ...] = (file.labels.get("image_kind"), *([hints] if hints else []))
        while True:
            try:
                return self.read(path, *told)
            except Rejected as error:
                tried[error.reason] += 1
                done = tried[error.reason] >= TRIES.get(error.reason, 1)
                if done or self._hash(path, file.size) is None:
                    raise

    def _row(
        self,
        path: str,
        record: FileRecord,
        labels: Mapping[str, Any],
        keep: Callable[[dict[str, Any]], None],
    ) -> dict[str, Any]:
        row, notes = self.job.rows.row(path, record, labels)
        keep(row)
        told = ("patient_id", "exam_id", "split", "image_kind", "pair_key", "pair_role")
        return {
            **{name: row[name] for name in told},
            "sha256": row["source_sha256"],
            "findings": len(row["annotations"]),
            "breast_mask": row["breast_mask"] if row["pair_role"] in PAIRED else None,
            "mirrored": faces_left(row),
            "ballot": ballot_of(row),
            "row_hash": hash_row(row),
            "notes": notes,
        }

    def _hash(self, path: Path, size: int) -> str | None:
        if not 0 <= size <= self.job.limits.max_file_bytes:
            return None
        return sha256_within(path, self.job.limits.wall_s)


def hints_of(labels: Mapping[str, Any], archive: Path) -> dict[str, Any]:
    """Tell what a reader must know of a file beside its kind: hints of ``read_file``, often none.

    Args:
        labels: By path, from the source.
        archive: Root of the paths.
    """
    asked = (one.get("mask_files") for one in labels.get("annotations") or ())
    masks = [[str(archive / path) for path in files] for files in asked if files]
    told = {"raster": labels.get("raster"), "masks": masks}
    return {name: value for name, value in told.items() if value}


def apply_verdict(out: Path, ledger: Ledger) -> None:
    """Make a shard say what a settled ledger says, then save the ledger.

    A shard that was damaged since it was written is taken away, and its files are ingested again.
    It is told by its hash: Parquet's footer has no checksum, and a flipped bit there may name
    another value.
    """
    path = shard_path(out, ledger.key)
    if not path.exists() or sha256_of(path) != ledger.sha256:
        path.unlink(missing_ok=True)
        return
    rewrite_shard(path, ledger.entries)
    save_ledger(out, replace(ledger, **_written(path)))


def _written(shard: Path) -> dict[str, Any]:
    found = shard.stat()
    return {
        "bytes": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "sha256": sha256_of(shard),
    }
