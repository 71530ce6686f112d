"""Seeded mutants of every syntax through the whole intake: file, isolated child, row or refusal.

``make fuzz N=1000000`` runs as many as wanted; ``SEED`` gives others.
"""

import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mgray.dicom.child import DecodeChild
from mgray.dicom.example import SYNTAX
from mgray.dicom.limits import DEFAULT_LIMITS, Limits
from mgray.errors import REJECT_REASONS, Rejected
from mgray.ingest.ledger import Chunk, FileState
from mgray.ingest.pseudonym import Pseudonyms
from mgray.ingest.row import RowMaker, hash_row
from mgray.ingest.worker import ChunkWorker, Job
from mgray.schema import IMAGE
from tests.dicom.mutants import BASES, base, mutant

MUTANTS = int(os.environ.get("MGRAY_FUZZ", "5000"))
SEED = int(os.environ.get("MGRAY_FUZZ_SEED", "1"))
WORKERS = min(MUTANTS, len(os.sched_getaffinity(0)))
MEMORY_BYTES = 2 * 2**30
SECONDS = 10.0
"""What no mutant may take, TRUST §6A; the limits are higher."""
ROWS = RowMaker(Pseudonyms(b"a key for tests" * 3, "fuzz"), "none", "1", 0)


def row_of(child, path):
    """Take one file in; the row as storage gets it."""
    row, _ = ROWS.row(path.name, child.read(path), {})
    hash_row(row)
    return pa.Table.from_pylist([row], schema=IMAGE).to_pylist()[0]


def most_memory(pid):
    """Peak resident bytes of a child."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


class Tally:
    """What became of the mutants of one child."""

    def __init__(self):
        self.fates, self.untyped, self.seconds, self.bytes, self.deaths = Counter(), {}, 0.0, 0, 0

    def take(self, child, path, index):
        start = time.monotonic()
        try:
            row_of(child, path)
            self.fates["row"] += 1
        except Rejected as refusal:
            self.fates[refusal.reason] += 1
        except BaseException as error:
            self.untyped[index] = repr(error)
        self.seconds = max(self.seconds, time.monotonic() - start)


def fuzz(worker, folder):
    tally, path = Tally(), folder / f"{worker}.dcm"
    with DecodeChild(volumes="mip") as child:
        child.read(base("explicit", 0))  # its start is no mutant's time
        for index in range(worker, MUTANTS, WORKERS):
            path.write_bytes(mutant(SEED, index))
            tally.take(child, path, index)
            if index % 50 < WORKERS and child.pid is not None:
                tally.bytes = max(tally.bytes, most_memory(child.pid))
        tally.deaths = child.starts - 1
    return tally


@pytest.fixture(scope="module")
def tallies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda worker: fuzz(worker, folder), range(WORKERS)))


@pytest.mark.timeout(300 + MUTANTS // 10)
def test_every_mutant_is_a_row_or_a_typed_refusal(tallies, capsys):
    fates = sum((tally.fates for tally in tallies), Counter())
    untyped = {index: error for tally in tallies for index, error in tally.untyped.items()}
    summary = {
        "seed": SEED,
        "mutants": MUTANTS,
        "fates": dict(fates.most_common()),
        "untyped": len(untyped),
        "child_deaths": sum(tally.deaths for tally in tallies),
        "most_seconds": round(max(tally.seconds for tally in tallies), 2),
        "most_mib": max(tally.bytes for tally in tallies) >> 20,
    }
    if "MGRAY_FUZZ" in os.environ:
        with capsys.disabled():
            sys.stdout.write("\n" + json.dumps(summary) + "\n")
    assert not untyped, dict(list(untyped.items())[:5])
    assert fates.total() == MUTANTS
    assert set(fates) <= {"row", *REJECT_REASONS}


def test_no_mutant_is_over_the_limits(tallies):
    assert max(tally.seconds for tally in tallies) < SECONDS < DEFAULT_LIMITS.wall_s
    assert max(tally.bytes for tally in tallies) < MEMORY_BYTES < DEFAULT_LIMITS.memory_bytes
    assert not any(tally.fates["timeout"] for tally in tallies)


def test_mutants_reach_every_step(tallies):
    """Fuzzing only the magic number would prove nothing."""
    fates = sum((tally.fates for tally in tallies), Counter())
    steps = {"row", "corrupt_header", "header_mismatch", "corrupt_pixels", "unsupported_kind"}
    assert all(fates[step] >= MUTANTS // 200 for step in steps), fates
    assert fates["not_dicom"] < MUTANTS // 10


def test_a_mutant_can_be_made_again():
    assert mutant(7, 123) == mutant(7, 123) != mutant(8, 123)
    assert len({mutant(1, index) for index in range(200)}) > 190


@pytest.mark.parametrize("syntax", SYNTAX)
def test_files_that_mutants_come_from_are_good(syntax, tmp_path):
    with DecodeChild(volumes="mip") as child:
        for number in range(len(BASES)):
            (tmp_path / "a").write_bytes(base(syntax, number))
            assert row_of(child, tmp_path / "a")["rows"] == 48


def test_a_chunk_of_mutants_is_accounted_for(tmp_path):
    count, states = 120, []
    for index in range(count):
        path = tmp_path / f"{index}.dcm"
        path.write_bytes(mutant(SEED + 1, index))
        states.append(FileState(path.name, path.stat().st_size, path.stat().st_mtime_ns, {}))
    job = Job(tmp_path, tmp_path / "table", "stamp", Limits(), ROWS, {}, "mip")
    (tmp_path / "table").mkdir()
    with DecodeChild(volumes="mip") as child:
        ledger = ChunkWorker(job, child.read).ingest(Chunk("key", tuple(states)))
    assert len(ledger.entries) == count
    reasons = Counter(entry.reason for entry in ledger.entries)
    assert set(reasons) <= {None, *REJECT_REASONS}
    assert len(reasons) > 3


def test_reasons_are_a_closed_list_of_at_most_twenty():
    assert len(REJECT_REASONS) <= 20
    assert all(text == text.strip() and text for text in REJECT_REASONS.values())


def test_fates_do_not_depend_on_the_child_s_past(tmp_path):
    """A child that read a hundred bad files judges the next one as a fresh child does."""

    def fates(order):
        with DecodeChild(volumes="mip") as child:
            tally, found = Tally(), {}
            for index in order:
                (tmp_path / "a").write_bytes(mutant(SEED + 2, int(index)))
                tally.fates.clear()
                tally.take(child, tmp_path / "a", index)
                found[int(index)] = next(iter(tally.fates))
            return found

    order = np.random.default_rng(0).permutation(100)
    assert fates(order) == fates(np.sort(order))
