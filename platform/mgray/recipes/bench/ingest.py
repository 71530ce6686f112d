"""jobs.ingest against the codecs alone: the same files, the same number of processes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final

from mgray.errors import DataError
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.process import seconds_of

CODESTREAM: Final = b"\xff\x4f\xff\x51"
"""How a JPEG 2000 codestream starts: SOC and SIZ, ISO/IEC 15444-1 A.4."""


def measure_ingest(config: BenchConfig, work: Path, log: Path) -> Measured:
    """Compare the whole job, Ray's start included, and its steady state with the codecs.

    Args:
        config: How often.
        work: Holds ``archive``.
        log: Gets what the jobs say.

    Raises:
        MgrayError: A job failed.
    """
    files = sorted((work / "archive" / "images").glob("*.dcm"))
    whole, steady, bare = [], [], []
    for turn in track(range(config.repeats), "time ingest", config.repeats, "turns"):
        table = work / f"ingest_{turn}"
        seconds = seconds_of(ingest_words(config, work / "archive", table), log)
        whole.append(len(files) / seconds)
        steady.append(steady_rate(table, config.workers))
        bare.append(codec_rate(files, config.workers))
    unit = "images/s"
    return Measured(
        [
            Comparison("ingest, the whole job", unit, whole, bare, is_rate=True),
            Comparison("ingest, without its start", unit, steady, bare, is_rate=True),
        ]
    )


def phantom_words(config: BenchConfig, archive: Path, exams: int) -> list[str]:
    """The command that makes an archive."""
    words = ["jobs.phantom", f"out={archive}", f"exams={exams}"]
    return [*words, f"seed={config.seed}", f"workers={config.workers}"]


def ingest_words(config: BenchConfig, archive: Path, out: Path) -> list[str]:
    """The command that ingests an archive."""
    folders = [f"archive={archive}", f"out={out}"]
    return ["jobs.ingest", "phantom", *folders, f"workers={config.workers}"]


def steady_rate(table: Path, workers: int) -> float:
    """Images a second from when each worker could have finished a shard to the end of the last.

    Told from the shards' files: what was running at the first moment counts as if begun then.

    Raises:
        DataError: Too few shards.
    """
    import pyarrow.parquet as pq

    shards = sorted((table / "images").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    if len(shards) <= workers:
        raise DataError(f"{len(shards)} shards for {workers} workers: give more exams")
    images = sum(pq.read_metadata(shard).num_rows for shard in shards[workers:])
    first, last = (shards[place].stat().st_mtime_ns for place in (workers - 1, -1))
    return float(images / (last - first) * 1e9)


def codec_rate(files: Sequence[Path], processes: int) -> float:
    """Images a second of the bare loop, once its processes have started."""
    with _started(processes) as pool:
        start = time.perf_counter()
        for _ in pool.imap_unordered(recode, files):
            pass
        return len(files) / (time.perf_counter() - start)


def recode(path: Path) -> bytes:
    """Read a DICOM file's one JPEG 2000 frame, decode it, encode it as HTJ2K."""
    import imagecodecs
    import numpy as np
    from openjpeg.utils import decode

    data = path.read_bytes()
    stored = decode(data[data.index(CODESTREAM) :], j2k_format=0)
    return bytes(imagecodecs.htj2k_encode(stored.astype(np.int16), reversible=True))


@contextmanager
def _started(processes: int) -> Iterator[Pool]:
    """Processes that have imported the codecs."""
    context = get_context("spawn")
    ready = context.Barrier(processes + 1)
    with context.Pool(processes, _import_codecs, (ready,)) as pool:
        ready.wait()
        yield pool


def _import_codecs(ready: Barrier) -> None:
    import imagecodecs  # noqa: F401 - imported before time is taken
    import openjpeg.utils  # noqa: F401

    ready.wait()
