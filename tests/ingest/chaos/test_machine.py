"""Whatever dies, fills up or rots on the way: the same command again ends as an undisturbed run.

Every fault is a real one: ``kill -9``, a full or read-only file system, a pipe that nobody writes
to, a flipped bit. Victims and moments are drawn from seeds. ``make chaos N=1000`` for more.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mgray.errors import DataError

ROOT = Path(__file__).parents[3]
COUNT = round(0.7 * int(os.environ.get("MGRAY_CHAOS", "40")))


@pytest.fixture(scope="module")
def small(make_archive) -> Any:
    return make_archive(5)


def test_undisturbed_run_refuses_the_poison_and_nothing_else(small):
    assert (small.calm.rows, small.calm.pairs) == (10, 5)
    assert small.calm.quarantined_by_reason == {
        "duplicate": 1, "empty": 1, "header_mismatch": 2, "not_dicom": 1, "too_large": 1,
        "unreadable": 1, "wrong_modality": 1,
    }  # fmt: skip


# Faults while the table is made. Each gets the archive, an empty folder and its seed's generator.


def child_dies(archive: Any, out: Path, rng: random.Random) -> None:
    at = rng.randrange(len(archive.rows))

    def strike(path: Path, count: int) -> None:
        if count == at:
            os.kill(archive.child.pid, signal.SIGSTOP)  # so that it dies while the file is read
            threading.Timer(0.05, os.kill, (archive.child.pid, signal.SIGKILL)).start()

    archive.is_undisturbed(out, archive.ingest(out, strike))


def source_vanishes(archive: Any, out: Path, rng: random.Random) -> None:
    with taken(rng.choice(readable(archive))) as (strike, _):
        assert archive.ingest(out, strike).quarantined_by_reason["unreadable"] == 2


def source_stalls(archive: Any, out: Path, rng: random.Random) -> None:
    with taken(rng.choice(readable(archive)), os.mkfifo) as (strike, _):
        assert archive.ingest(out, strike).quarantined_by_reason["timeout"] == 1


def source_is_a_pipe_from_the_start(archive: Any, out: Path, rng: random.Random) -> None:
    with taken(path := rng.choice(readable(archive)), os.mkfifo) as (strike, _):
        strike(path, 0)
        assert archive.ingest(out).quarantined_by_reason["unreadable"] == 2


def disk_fills_up(archive: Any, out: Path, rng: random.Random) -> None:
    pages = sum(shard.bytes for shard in archive.calm.shards) // 4096
    with small_disk(out, rng.randrange(2, pages)) as remount:
        with pytest.raises(DataError, match="No space left"):
            archive.ingest(out)
        remount("size=64m")
        archive.check(out)


def disk_becomes_read_only(archive: Any, out: Path, rng: random.Random) -> None:
    with small_disk(out, 16384) as remount:
        archive.ingest(out)
        pick(out, "ledger/*.json", rng).unlink()
        remount("ro")
        with pytest.raises(DataError, match="Read-only file system"):
            archive.ingest(out)
        remount("rw")
        archive.check(out)
        remount("ro")
        archive.is_undisturbed(out, archive.ingest(out))  # nothing to do, nothing written


def driver_dies(archive: Any, out: Path, rng: random.Random) -> None:
    words = [archive.root, out, rng.randrange(1, 150), archive.limits.model_dump_json()]
    command = [sys.executable, "-c", MORTAL_DRIVER, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


MORTAL_DRIVER = """
import os, signal, sys
sys.path[:0] = [".", "platform"]
from mgray.dicom.limits import Limits
from mgray.dicom.record import read_record
from mgray.ingest.config import IngestConfig
from mgray.ingest.run import ingest_with
from mgray.ingest.worker import ChunkWorker, apply_verdict
from contextlib import nullcontext
archive, out, left, limits = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
limits = Limits.model_validate_json(limits)

class Here:
    def __init__(self, job):
        self.job = job
    def ingest(self, chunks):
        read = lambda path, kind, *more: read_record(path, limits, kind, *more)
        for chunk in chunks:
            yield len(ChunkWorker(self.job, read).ingest(chunk).entries)
    def settle(self, ledgers):
        for ledger in ledgers:
            apply_verdict(self.job.out, ledger)
            yield 1

def count_down(event, args):
    global left
    if event in ("open", "os.rename", "os.remove") and str(args[0]).startswith(out):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count_down)
told = {"source": "csv", "archive": archive, "out": out, "images_per_shard": 3, "limits": limits}
ingest_with(IngestConfig(**told), lambda job: nullcontext(Here(job)))
"""


# Faults of a finished table. Each gets its folder and its seed's generator.


def bit_flips_in_a_shard(out: Path, rng: random.Random) -> None:
    flip(pick(out, "images/*", rng), rng)


def shard_is_cut(out: Path, rng: random.Random) -> None:
    cut(pick(out, "images/*", rng), rng)


def shard_is_lost(out: Path, rng: random.Random) -> None:
    pick(out, "images/*", rng).unlink()


def ledger_is_damaged(out: Path, rng: random.Random) -> None:
    rng.choice([flip, cut])(pick(out, "ledger/*", rng), rng)


def manifest_is_damaged(out: Path, rng: random.Random) -> None:
    cut(out / "manifest.json", rng)


def quarantine_is_damaged(out: Path, rng: random.Random) -> None:
    rng.choice([flip, cut])(out / "quarantine.parquet", rng)


def index_is_damaged(out: Path, rng: random.Random) -> None:
    rng.choice([flip, cut])(out / "index.parquet", rng)


def draft_was_left(out: Path, rng: random.Random) -> None:
    shard = pick(out, "images/*", rng)
    shutil.copy(shard, shard.with_name(f".{shard.name}.0123.tmp"))
    key = shard.stem.removeprefix("part-")
    (out / "ledger" / f"{key}.json").unlink()
    (out / "ledger" / f"{key}.at").write_text("[0, 0, 0]")


MEANWHILE = (
    child_dies, source_vanishes, source_stalls, source_is_a_pipe_from_the_start, disk_fills_up,
    disk_becomes_read_only, driver_dies,
)  # fmt: skip
AFTERWARDS = (
    bit_flips_in_a_shard, shard_is_cut, shard_is_lost, ledger_is_damaged, manifest_is_damaged,
    quarantine_is_damaged, index_is_damaged, draft_was_left,
)  # fmt: skip
FAULTS = MEANWHILE + AFTERWARDS
SCHEDULE = [(seed, FAULTS[seed % len(FAULTS)]) for seed in range(COUNT)]


@pytest.mark.parametrize(("seed", "fault"), SCHEDULE)
def test_table_heals(small, tmp_path, seed, fault):
    rng, out = random.Random(f"{seed}"), tmp_path / "table"
    small.child.read(small.root / "0000-ffdm.dcm")
    if fault in MEANWHILE:
        fault(small, out, rng)
    else:
        small.ingest(out)
        fault(out, rng)
    if out.is_dir() and any(out.iterdir()):
        small.check(out)


def readable(archive: Any) -> list[Path]:
    return sorted(archive.root.glob("[0-9]*.dcm"))


@contextmanager
def taken(path: Path, put: Callable[[Path], None] = lambda path: None) -> Iterator[Any]:
    """Give a strike that takes a file away, perhaps for something else; bring it back."""
    aside = path.with_suffix(".aside")

    def strike(at: Path, count: int) -> None:
        if at == path and not aside.exists():
            path.rename(aside)
            put(path)

    yield strike, aside
    path.unlink(missing_ok=True)
    aside.rename(path)


@contextmanager
def small_disk(folder: Path, pages: int) -> Iterator[Callable[[str], None]]:
    """Mount a file system of so many pages; the function mounts it again with other options."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root may mount a small file system")
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={pages * 4}k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield lambda how: remount(folder, how)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def pick(out: Path, pattern: str, rng: random.Random) -> Path:
    return rng.choice(sorted(out.glob(pattern)))


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))
