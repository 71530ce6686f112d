import os
from dataclasses import replace
from functools import partial

import pyarrow.parquet as pq
import pytest

from mgray.dicom.limits import Limits
from mgray.dicom.record import read_record
from mgray.errors import Rejected
from mgray.ingest.attempts import MOST_DEATHS, SUFFIX, Attempts
from mgray.ingest.ledger import load_ledger, shard_path, split_into_chunks, state_of
from mgray.ingest.row import RowMaker
from mgray.ingest.worker import ChunkWorker, Job, apply_verdict


@pytest.fixture
def job(archive, tmp_path, ids):
    rows = RowMaker(ids, "CC0", "1", 0)
    return Job(archive.root, tmp_path / "table", "stamp", Limits(), rows, {})


def chunk_of(job, *paths):
    files = [state_of(job.archive, path, {}) for path in paths]
    return next(split_into_chunks(files, 9, job.rows.ids.shard))


def refuse(path, kind):
    raise Rejected("bad_pixels", "12 bits")


def fail(path, kind):
    raise AssertionError("a finished chunk is read again")


def test_refusal_is_an_entry_with_reason_detail_and_hash(archive, job):
    path = archive.put("a.dcm", b"abc")
    (entry,) = ChunkWorker(job, refuse).ingest(chunk_of(job, path)).entries
    assert (entry.reason, entry.detail, entry.sha256[:8]) == ("bad_pixels", "12 bits", "ba7816bf")


def test_missing_file_is_unreadable(job):
    (entry,) = ChunkWorker(job, refuse).ingest(chunk_of(job, "images/gone.dcm")).entries
    assert (entry.reason, entry.sha256) == ("unreadable", None)


def test_finished_chunk_is_left_as_it_is(archive, job):
    chunk = chunk_of(job, archive.put("a.dcm", b"abc"))
    first = ChunkWorker(job, refuse).ingest(chunk)
    assert ChunkWorker(job, fail).ingest(chunk) == first == load_ledger(job.out, chunk.key, "stamp")


def test_kind_of_the_table_reaches_the_decoder(archive, job):
    told = []
    file = state_of(job.archive, archive.put("a.dcm", b"abc"), {"image_kind": "film"})
    (chunk,) = split_into_chunks([file], 1, job.rows.ids.shard)
    ChunkWorker(job, lambda path, kind: told.append(kind) or refuse(path, kind)).ingest(chunk)
    assert told == ["film"]


def test_file_that_kills_its_worker_is_refused_and_its_neighbour_kept(archive, job):
    archive.image("b.dcm", 1)
    chunk = chunk_of(job, archive.put("a.dcm", b"poison"), "images/b.dcm")
    note = job.out / "ledger" / f"{chunk.key}{SUFFIX}"
    for _ in range(MOST_DEATHS):
        Attempts(note).begin(0)  # and dies
    read = partial(read_only, job.archive / "images" / "b.dcm")
    poison, neighbour = ChunkWorker(job, read).ingest(chunk).entries
    assert (poison.reason, neighbour.reason) == ("decoder_died", None)
    assert not note.exists()


def read_only(expected, path, kind):
    assert path == expected
    return read_record(path, kind=kind)


def fails_first(times, reason, good):
    """A decoder that refuses some calls, and then reads a file."""
    answers = iter([reason] * times)

    def read(path, kind):
        told = next(answers, None)
        if told is not None:
            raise Rejected(told)
        return read_record(good, kind=kind)

    return read


@pytest.mark.parametrize(
    ("times", "reason", "end"),
    [
        (MOST_DEATHS - 1, "decoder_died", None),
        (MOST_DEATHS, "decoder_died", "decoder_died"),
        (1, "timeout", None),
        (2, "timeout", "timeout"),
        (1, "corrupt_pixels", "corrupt_pixels"),
    ],
)
def test_what_may_be_the_machines_fault_is_tried_again(archive, job, times, reason, end):
    archive.image("a.dcm", 1)
    good = archive.root / "images" / "a.dcm"
    worker = ChunkWorker(job, fails_first(times, reason, good))
    (entry,) = worker.ingest(chunk_of(job, "images/a.dcm")).entries
    assert (entry.reason, entry.sha256 is None) == (end, False)


def test_file_that_stalls_is_not_waited_for_twice(archive, job):
    chunk = chunk_of(job, archive.put("a.dcm", b"abc"))
    (archive.root / "images" / "a.dcm").unlink()
    os.mkfifo(archive.root / "images" / "a.dcm")
    waits = []
    read = lambda path, kind: waits.append(path) or late()  # noqa: E731
    (entry,) = ChunkWorker(job, read).ingest(chunk).entries
    assert (entry.reason, entry.sha256, len(waits)) == ("timeout", None, 1)


def late():
    raise Rejected("timeout")


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_damaged_shard_is_taken_away_when_it_is_settled(archive, job, share):
    archive.image("a.dcm", 1)
    ledger = ChunkWorker(job, read_record_of).ingest(chunk_of(job, "images/a.dcm"))
    shard = shard_path(job.out, ledger.key)
    data = bytearray(shard.read_bytes())
    data[int(len(data) * share)] ^= 1
    shard.write_bytes(data)
    apply_verdict(job.out, ledger)
    assert not shard.exists()


def test_shard_that_an_earlier_attempt_took_away_is_no_fault(archive, job):
    archive.image("a.dcm", 1)
    ledger = ChunkWorker(job, read_record_of).ingest(chunk_of(job, "images/a.dcm"))
    shard_path(job.out, ledger.key).unlink()
    apply_verdict(job.out, ledger)
    assert not shard_path(job.out, ledger.key).exists()


def read_record_of(path, kind):
    return read_record(path, kind=kind)


def test_the_child_uses_the_job_s_cropper(archive, job):
    archive.image("a.dcm", 1)
    worker = ChunkWorker(replace(job, cropper="p5"))
    ledger = worker.ingest(chunk_of(job, "images/a.dcm"))
    worker.read.__self__.close()  # the child it made
    (row,) = pq.read_table(shard_path(job.out, ledger.key)).to_pylist()
    assert row["breast_box"][0] == 1  # a strip at each border is cut off


def test_hints_of_a_file_reach_the_decoder_with_whole_paths(archive, job):
    told = []
    labels = {
        "image_kind": "film",
        "raster": {"format": "picture", "uid": "a"},
        "annotations": [{"mask_files": ["m/1.dcm", "m/2.dcm"]}, {"coords": [1.0, 2.0, 3.0, 4.0]}],
    }
    file = state_of(job.archive, archive.put("a.jpg", b"abc"), labels)
    (chunk,) = split_into_chunks([file], 1, job.rows.ids.shard)

    def read(path, kind, hints):
        told.append(hints)
        refuse(path, kind)

    ChunkWorker(job, read).ingest(chunk)
    masks = [[str(job.archive / "m/1.dcm"), str(job.archive / "m/2.dcm")]]
    assert told == [{"raster": labels["raster"], "masks": masks}]
