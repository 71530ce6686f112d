"""Archives of full-size images, one for each transfer syntax, made once and kept."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from mgray.dicom.example import recoded
from mgray.processes import worker_processes
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.process import seconds_of

FIELD_MM: Final = 233.0
"""Height of the detector: 0.07 mm at 3328 rows."""
SYNTAXES: Final = ("j2k", "jpeg_lossless", "htj2k")
TABLES: Final = ("exams.csv", "annotations.csv")


def full_size_archive(config: BenchConfig, syntax: str) -> Path:
    """Where the full-size images of one transfer syntax lie; a folder for each setting.

    Args:
        config: Its ``out``, seed and size.
        syntax: Of ``SYNTAXES``.
    """
    settings = f"{config.full_rows}_rows_{config.full_exams}_exams_seed_{config.seed}"
    return config.out / "full" / settings / syntax


def full_size_words(config: BenchConfig) -> list[str]:
    """The command that makes the archive of the first syntax, or what it lacks."""
    size = [f"height={config.full_rows}", f"width={config.full_rows // 208 * 160}"]
    size += [f"pixel_mm={FIELD_MM / config.full_rows:.3g}", "synthetic_scale=1"]
    told = [f"exams={config.full_exams}", f"seed={config.seed}", f"workers={config.workers}"]
    return ["jobs.phantom", f"out={full_size_archive(config, SYNTAXES[0])}", *told, *size]


def make_full_size(config: BenchConfig, log: Path, syntaxes: Sequence[str] = SYNTAXES) -> None:
    """Make what is missing: phantoms, and the same files in the other syntaxes.

    Args:
        config: How many, and how large.
        log: Gets what the job says.
        syntaxes: The first of ``SYNTAXES`` is made in any case.

    Raises:
        MgrayError: The job failed.
    """
    seconds_of(full_size_words(config), log)
    source = full_size_archive(config, SYNTAXES[0])
    for syntax in syntaxes:
        if syntax != SYNTAXES[0]:
            recode_archive(source, full_size_archive(config, syntax), syntax, config.workers)


def recode_archive(source: Path, target: Path, syntax: str, workers: int) -> None:
    """Write the files of an archive in another transfer syntax; those that exist are kept.

    Args:
        source: Archive of phantoms.
        target: Its twin.
        syntax: Of ``dicom.example.SYNTAX``.
        workers: Processes.
    """
    (target / "images").mkdir(parents=True, exist_ok=True)
    names = sorted(path.name for path in (source / "images").glob("*.dcm"))
    missing = [name for name in names if not (target / "images" / name).is_file()]
    write = partial(_recode, source / "images", target / "images", syntax)
    with worker_processes(workers) as pool:
        for _ in track(pool.map(write, missing), f"recode as {syntax}", len(missing), "files"):
            pass
    for name in TABLES:
        shutil.copy(source / name, target / name)


def _recode(source: Path, target: Path, syntax: str, name: str) -> None:
    part = target / f"{name}.part"
    part.write_bytes(recoded((source / name).read_bytes(), syntax))
    part.rename(target / name)
