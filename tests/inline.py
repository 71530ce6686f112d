"""Ingest in the tests' own process: no Ray, no decode child."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mgray.dicom.door import read_file
from mgray.dicom.record import FileRecord
from mgray.ingest.ledger import Chunk, Ledger, outcomes
from mgray.ingest.worker import ChunkWorker, Job, apply_verdict


class Here:
    """Runs the work in this process, and counts the files that were decoded."""

    decoded = 0

    def __init__(self, job: Job) -> None:
        self.job = job

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def ingest(self, chunks: Iterable[Chunk]) -> Iterator[dict[str, int]]:
        """Ingest each chunk; yields its counts."""
        worker = ChunkWorker(self.job, self.read)
        for chunk in chunks:
            yield outcomes(worker.ingest(chunk))

    def settle(self, ledgers: Sequence[Ledger]) -> Iterator[int]:
        """Apply each shard's verdict."""
        for ledger in ledgers:
            apply_verdict(self.job.out, ledger)
            yield 1

    def read(self, path: Path, kind: str | None, hints: Any = None) -> FileRecord:
        """Read one file, here."""
        Here.decoded += 1
        told = {**(hints or {}), "kind": kind}
        return read_file(path, self.job.limits, self.job.volumes, told, cropper=self.job.cropper)
