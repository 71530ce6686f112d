"""The memory of an ingest does not grow with the images that it decodes."""

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mgray.dicom.example import example_file

ROOT = Path(__file__).parents[2]
SHARD = 16
FEW = 2 * SHARD  # the first shard alone is over before all that stays was loaded
MANY = int(os.environ.get("MGRAY_MEMORY", "112"))
OURS = {"jobs.ingest": "driver", "IngestTask": "worker", "mgray.dicom.child": "child"}


@pytest.mark.ray
@pytest.mark.slow
def test_peak_of_all_our_processes_does_not_grow_with_the_images(tmp_path):
    few, many = (peaks(tmp_path / str(count), count) for count in (FEW, MANY))
    assert set(few) == set(many) == set(OURS.values())
    grown = sum(many.values()) / sum(few.values())
    assert grown < 1.1, f"MiB of {FEW} images {few}, of {MANY} images {many}"


def peaks(folder: Path, count: int) -> dict[str, int]:
    """Ingest so many images of 1 MiB; tell the most that each kind of process held, MiB."""
    write_archive(folder / "archive", count)
    words = [
        f"archive={folder / 'archive'}",
        f"out={folder / 'table'}",
        "workers=1",
        f"images_per_shard={SHARD}",
    ]
    path = os.pathsep.join([str(ROOT), str(ROOT / "platform")])
    env = {name: text for name, text in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "jobs.ingest", "csv", *words]
    most = Counter[str]()
    with subprocess.Popen(
        command, cwd=ROOT, env=env | {"PYTHONPATH": path}, stderr=subprocess.DEVNULL
    ) as job:
        while job.poll() is None:
            most |= held(job.pid)  # the maximum of each
            time.sleep(0.1)
    assert job.returncode == 0
    return dict(most)


def write_archive(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    stored = np.random.default_rng(0).integers(0, 4096, (1024, 512)).astype(np.uint16)
    for number in range(count):
        ids = {"SOPInstanceUID": f"1.2.3.{number}", "StudyInstanceUID": f"1.2.4.{number}"}
        (folder / f"{number:03}.dcm").write_bytes(example_file(stored, **ids))
    lines = ["path", *(path.name for path in folder.glob("*.dcm"))]
    (folder / "catalog.csv").write_text("\n".join(lines) + "\n")


def held(root: int) -> Counter[str]:
    """Proportional memory of the job's processes that are ours, by kind."""
    found: Counter[str] = Counter()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            command = (folder / "cmdline").read_text()
            kind = next((OURS[word] for word in OURS if word in command), None)
            if kind and root in ancestry(int(folder.name)):
                lines = (folder / "smaps_rollup").read_text().splitlines()
                found[kind] += next(int(line.split()[1]) for line in lines if "Pss:" in line) >> 10
    return found


def ancestry(pid: int) -> list[int]:
    chain = [pid]
    while chain[-1] > 1:
        stat = Path(f"/proc/{chain[-1]}/stat").read_text()
        chain.append(int(stat.rpartition(")")[2].split()[1]))
    return chain
