"""jobs.ingest against the codecs alone: the same files, the same number of processes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

from mgray.dicom.codecs import BY_SIZE
from mgray.errors import DataError
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.full_size import SYNTAXES, full_size_archive, make_full_size
from mgray.recipes.bench.process import seconds_of

STARTS: Final = {
    "j2k": b"\xff\x4f\xff\x51",
    "htj2k": b"\xff\x4f\xff\x51",
    "jpeg_lossless": b"\xff\xd8\xff",
}
"""How a codestream starts: SOC and SIZ of ISO/IEC 15444-1 A.4, SOI of ISO/IEC 10918-1 B.1."""
LARGE_ROWS: Final = 4160
LARGE_EXAMS: Final = 2
LEAST: Final = {"j2k": 0.90, "jpeg_lossless": 0.80, "htj2k": 0.80}
"""Goals: share of the bare loop's rate that the ingest reaches, without its start."""


def measure_ingest(config: BenchConfig, work: Path, log: Path) -> Measured:
    """Compare the whole job, Ray's start included, and its steady state with the codecs.

    Args:
        config: How often, how many images and how large.
        work: Gets the tables.
        log: Gets what the jobs say.

    Raises:
        MgrayError: A job failed.
    """
    make_full_size(config, log)
    turns = [(syntax, turn) for turn in range(config.full_turns) for syntax in SYNTAXES]
    found: dict[str, list[tuple[float, float, float]]] = {syntax: [] for syntax in SYNTAXES}
    for syntax, turn in track(turns, "time ingest", len(turns), "turns"):
        found[syntax].append(_turn(config, syntax, work / f"ingest_{syntax}_{turn}", log))
    files, size = 8 * config.full_exams, f"{config.full_rows} rows"
    note = f"ingest: {files} images of {size} in each syntax; mean file, mean row in the table: "
    means = [_mean_bytes(config, syntax, work / f"ingest_{syntax}_0") for syntax in SYNTAXES]
    return Measured(
        [one for syntax in SYNTAXES for one in compared(syntax, found[syntax])],
        notes=[note + ", ".join(f"{a:.2f} and {b:.2f} MB" for a, b in means)],
    )


def _turn(config: BenchConfig, syntax: str, table: Path, log: Path) -> tuple[float, float, float]:
    """Images a second of the whole job, of its steady state and of the bare loop around it."""
    archive = full_size_archive(config, syntax)
    files = sorted((archive / "images").glob("*.dcm"))
    bare = codec_seconds(files[::2], syntax, config.workers)
    seconds = seconds_of(ingest_words(config, archive, table), log)
    bare += codec_seconds(files[1::2], syntax, config.workers)
    return len(files) / seconds, steady_rate(table, config.workers), len(files) / bare


def compared(syntax: str, turns: Sequence[tuple[float, float, float]]) -> list[Comparison]:
    """Rates of each turn as comparisons, the steady one with its goal."""
    whole, steady, bare = zip(*turns, strict=True)
    goal = 1 / LEAST[syntax]
    words, unit = f"ingest of {syntax}, ", "images/s"
    return [
        Comparison(words + "the whole job", unit, whole, bare, is_rate=True),
        Comparison(words + "without its start", unit, steady, bare, True, most_times=goal),
    ]


def _mean_bytes(config: BenchConfig, syntax: str, table: Path) -> tuple[float, float]:
    """Mean size of an archive's files and of the table's share for each, MB."""
    files = list((full_size_archive(config, syntax) / "images").glob("*.dcm"))
    shards = list((table / "images").glob("*.parquet"))
    sizes = (sum(path.stat().st_size for path in paths) for paths in (files, shards))
    before, after = (size / len(files) / 1e6 for size in sizes)
    return before, after


def phantom_words(config: BenchConfig, archive: Path, exams: int) -> list[str]:
    """The command that makes an archive."""
    words = ["jobs.phantom", f"out={archive}", f"exams={exams}"]
    return [*words, f"seed={config.seed}", f"workers={config.workers}"]


def ingest_words(config: BenchConfig, archive: Path, out: Path) -> list[str]:
    """The command that ingests an archive."""
    folders = [f"archive={archive}", f"out={out}"]
    return ["jobs.ingest", "phantom", *folders, f"workers={config.workers}"]


def large_table(config: BenchConfig, work: Path, log: Path) -> Path:
    """Ingest some images whose quarter has 1024 pixels and more: ``LARGE_ROWS``.

    Args:
        config: Its seed, workers and folder, where the images are kept.
        work: Gets the table.
        log: Gets what the jobs say.

    Raises:
        MgrayError: A job failed.
    """
    large = config.model_copy(update={"full_rows": LARGE_ROWS, "full_exams": LARGE_EXAMS})
    make_full_size(large, log, SYNTAXES[:1])
    seconds_of(ingest_words(large, full_size_archive(large, SYNTAXES[0]), work / "large"), log)
    return work / "large"


def steady_rate(table: Path, workers: int) -> float:
    """Images a second while all workers work: each counts from its first shard's end to its last's.

    Told from the shards' files: the first ends are those of so many workers, and so are the last
    ones. A worker that waits for the others at the end is not counted as working.

    Raises:
        DataError: Too few shards.
    """
    import pyarrow.parquet as pq

    shards = sorted((table / "images").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    if len(shards) <= workers:
        raise DataError(f"{len(shards)} shards for {workers} workers: give more exams")
    images = sum(pq.read_metadata(shard).num_rows for shard in shards[workers:])
    ends = [shard.stat().st_mtime_ns for shard in shards]
    return float(images * workers / (sum(ends[-workers:]) - sum(ends[:workers])) * 1e9)


def codec_seconds(files: Sequence[Path], syntax: str, processes: int) -> float:
    """Seconds of the bare loop over some files, once its processes have started."""
    with _started(processes) as pool:
        start = time.perf_counter()
        for _ in pool.imap_unordered(partial(_recoded_bytes, syntax), files):
            pass
        return time.perf_counter() - start


def recode(path: Path, syntax: str) -> bytes:
    """Read a DICOM file's one frame, decode it, encode it as HTJ2K; check nothing."""
    import imagecodecs
    import numpy as np
    from openjpeg.utils import decode

    data = path.read_bytes()
    frame = data[data.index(STARTS[syntax]) :]
    decoders: dict[str, Callable[[bytes], Any]] = {
        "j2k": partial(decode, j2k_format=0),
        "htj2k": imagecodecs.htj2k_decode,
        "jpeg_lossless": imagecodecs.jpeg8_decode,
    }
    stored = decoders[syntax](frame)
    samples = stored.astype(np.int16)
    return bytes(imagecodecs.htj2k_encode(samples, reversible=True, tilepart=BY_SIZE))


def _recoded_bytes(syntax: str, path: Path) -> int:
    return len(recode(path, syntax))


@contextmanager
def _started(processes: int) -> Iterator[Pool]:
    """Processes that have imported the codecs."""
    context = get_context("spawn")
    ready = context.Barrier(processes + 1)
    with context.Pool(processes, _import_codecs, (ready,)) as pool:
        ready.wait()
        yield pool


def _import_codecs(ready: Barrier) -> None:
    for module in ("imagecodecs", "openjpeg.utils"):  # before time is taken
        import_module(module)
    ready.wait()
