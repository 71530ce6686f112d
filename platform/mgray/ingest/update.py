"""The state of a table's folder, step by step towards the archive's; knows nothing of Ray.

Each pass looks at what lies in the folder and does the next thing that is missing, so an
interrupted run continues and a finished one is left alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from mgray.config import fingerprint
from mgray.data.alignment import FILE as PAIRS
from mgray.errors import DataError
from mgray.files import sha256_within, write_text
from mgray.ingest import manifest as manifests
from mgray.ingest.attempts import forget
from mgray.ingest.index import holds_index, write_index
from mgray.ingest.ledger import (
    MISSING,
    Chunk,
    Entry,
    Ledger,
    all_entries,
    load_ledgers,
    split_into_chunks,
    still_true,
    sweep,
)
from mgray.ingest.listing import Files
from mgray.ingest.manifest import Manifest
from mgray.ingest.pairs import measure_pairs, read_pairs, write_pairs
from mgray.ingest.settle import check_patients, settle
from mgray.ingest.shards import holds_quarantine, write_quarantine
from mgray.ingest.tally import Tally
from mgray.ingest.worker import Job
from mgray.progress import Bar
from mgray.sources.source import Catalog, Source

PASSES: Final = (
    6  # ingest, drop lost duplicates, ingest these, settle, look again, and one to spare
)


@runtime_checkable
class Runner(Protocol):
    """Runs the two kinds of work, somewhere."""

    def ingest(self, chunks: Iterable[Chunk]) -> Iterator[int | Mapping[str, int]]:
        """Turn chunks into shards; yield ``ledger.outcomes`` of each, or its number of files."""

    def settle(self, ledgers: Sequence[Ledger]) -> Iterator[int]:
        """Make shards say what their settled ledgers say; yield 1 for each."""


def update_table(
    job: Job,
    files: Files,
    images_per_shard: int,
    runner: Runner,
    tally: Tally | None = None,
) -> list[Ledger]:
    """Do what is missing until nothing is.

    Args:
        job: The archive and the table's folder.
        files: All files of the archive.
        images_per_shard: Size of new chunks.
        runner: Does the work.
        tally: Counts the files that are done.

    Returns:
        The settled ledgers of all shards.

    Raises:
        DataError: The archive changes meanwhile.
    """
    tally = tally or Tally()
    forget(job.out / "ledger")
    for number in range(PASSES):
        kept = _kept(job, files, first=number == 0)
        done = {entry.file_id for ledger in kept for entry in ledger.entries}
        pending = [at for file_id, at in files.ranks.items() if file_id not in done]
        verdict = settle(kept, files.ranks)
        if not (pending or verdict.lost or verdict.changed):
            forget(job.out / "ledger")
            return kept
        (job.out / manifests.FILE).unlink(missing_ok=True)
        if pending:
            some = (files[at] for at in pending)
            chunks = split_into_chunks(some, images_per_shard, job.rows.ids.shard)
            _watch(runner.ingest(chunks), Bar("ingest", len(pending), "files"), tally)
        elif verdict.lost:
            sweep(job.out, [ledger for ledger in kept if ledger not in verdict.lost])
        else:
            with Bar("settle", len(verdict.changed), "shards") as bar:
                for count in runner.settle(verdict.changed):
                    bar.advance(count)
    raise DataError("the archive changes while it is ingested: run the same command again")


def finish(job: Job, source: Source, catalog: Catalog, ledgers: Sequence[Ledger]) -> Manifest:
    """Check and count; write quarantine, pairs, index and manifest unless they say so already.

    Raises:
        DataError: Files were lost, or a patient is in two splits.
    """
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
    manifests.check_counts(manifest, [ids.file(row.path) for row in catalog.rows], ledgers)
    content, quarantine = manifest.content_sha256, job.out / "quarantine.parquet"
    held = read_pairs(job.out / PAIRS, content)
    pairs = measure_pairs(entries) if held is None else held
    manifest = manifests.with_pairs(manifest, pairs)
    refused = manifests.quarantine_records(ledgers)
    before = manifests.read_manifest(job.out)
    if (
        before is not None
        and before.model_copy(update={"versions": manifest.versions, "index": None}) == manifest
        and holds_quarantine(quarantine, refused)
        and held is not None
        and before.index is not None
        and holds_index(job.out, before.index.sha256)
    ):
        return before
    write_quarantine(quarantine, refused)
    write_pairs(job.out / PAIRS, pairs, content)
    shards = {shard.file: shard.sha256 for shard in manifest.shards}
    index = manifests.Index(sha256=write_index(job.out, shards))
    manifest = manifest.model_copy(update={"index": index})
    write_text(job.out / manifests.FILE, manifest.model_dump_json(indent=2))
    return manifest


def _watch(counts: Iterator[int | Mapping[str, int]], bar: Bar, tally: Tally) -> None:
    with bar:
        for count in counts:
            bar.advance(tally.add(count), tally.note())


def _kept(job: Job, files: Files, *, first: bool) -> list[Ledger]:
    """Ledgers that still tell the truth; everything else in the folder is swept away.

    The first look of a run also drops those with a file that was out of reach and came back.
    """
    labels = {job.rows.ids.image(uid): labels for uid, labels in job.by_uid.items()}
    limits = fingerprint(job.limits)
    kept = [
        ledger
        for ledger in load_ledgers(job.out, job.stamp)
        if (ledger.limits == limits or not any(entry.reason for entry in ledger.entries))
        and still_true(ledger, files.get, labels, job.archive, job.rows.ids)
        and not (first and any(_came_back(job, entry, files) for entry in ledger.entries))
    ]
    if len(kept) < len(list((job.out / "ledger").glob("*.json"))):
        (job.out / manifests.FILE).unlink(missing_ok=True)
    sweep(job.out, kept)
    return kept


def check_archive(out: Path, files: Files) -> None:
    """Refuse an archive that lacks most of what the table holds: it is hardly the same one.

    Args:
        out: Folder of the table.
        files: Of the archive.

    Raises:
        DataError: More than half of the files that lay in the archive do not any more.
    """
    held = [entry for entry in all_entries(out) if entry.size >= 0]
    there = (files.get(entry.file_id) for entry in held)
    gone = sum(file is None or file.size == MISSING for file in there)
    if 2 * gone > len(held):
        raise DataError(
            f"{gone} of the {len(held)} files that this table knows are not in the archive: is it "
            "mounted, is it this table's archive, is MGRAY_PSEUDONYM_KEY the same? "
            "may_shrink=true drops what is not there"
        )


def _came_back(job: Job, entry: Entry, files: Files) -> bool:
    """Tell whether a file that was refused because its bytes could not be had can be read now.

    Such a refusal tells of the storage, not of the file; any other one stands, unless it is to be
    tried again.
    """
    if entry.reason in job.retry:
        return True
    held = entry.reason is None or not 0 <= entry.size <= job.limits.max_file_bytes
    if held or (entry.sha256 is not None and entry.reason != "unreadable"):
        return False
    path = job.archive / files[files.ranks[entry.file_id]].path
    return sha256_within(path, job.limits.wall_s) is not None
