"""An archive with poison in it, and what an undisturbed run makes of it."""

import csv
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.dicom.child import DecodeChild
from mgray.dicom.example import example_file
from mgray.dicom.limits import Limits
from mgray.ingest.config import IngestConfig
from mgray.ingest.manifest import Manifest
from mgray.ingest.run import ingest_with
from mgray.ingest.worker import ChunkWorker, apply_verdict

LIMITS = Limits(wall_s=5.0, max_inflated_bytes=2**20)
Strike = Callable[[Path, int], None]


def mammogram(number: int, kind: str, syntax: str, **attributes: Any) -> bytes:
    """One image of exam ``number``, small and never the same."""
    shape = (128, 96)
    y, x = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(number).integers(0, 50, shape)
    stored = np.where((y - 64) ** 2 + x**2 < 1600, 2000 + noise, 0).astype(np.uint16)
    ids = {"SOPInstanceUID": f"1.2.3.{number}.{len(kind)}", "StudyInstanceUID": f"1.2.4.{number}"}
    marks = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]
    image_type = {"ImageType": marks} if kind == "sm" else {}
    told = {**ids, **image_type, "PatientID": f"patient-{number}", **attributes}
    return example_file(stored, syntax, **told)


def poison() -> dict[str, bytes]:
    """Files that are refused, each for another reason; two are bombs."""
    whole = mammogram(900, "ffdm", "explicit")
    bomb = bytearray(mammogram(901, "ffdm", "j2k"))
    at = bomb.index(b"\xff\x4f\xff\x51") + 8
    bomb[at : at + 8] = (65535).to_bytes(4, "big") * 2
    inflated = example_file(np.zeros((1024, 1024), np.uint16), "deflated")  # 2 MiB in 3 kB
    return {
        "text.dcm": b"dear diary, " * 50,
        "empty.dcm": b"",
        "cut.dcm": whole[:-4000],
        "bomb.dcm": bytes(bomb),
        "inflated.dcm": inflated,
        "ct.dcm": mammogram(
            903, "ffdm", "rle", Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"
        ),
    }


class Here:
    """Does the work in this process with one real decode child; ``strike`` comes before a file."""

    def __init__(self, child: DecodeChild, strike: Strike | None) -> None:
        self.child, self.strike, self.read = child, strike, 0

    @contextmanager
    def start(self, job: Any) -> Iterator["Here"]:
        self.job = job
        yield self

    def ingest(self, chunks: Sequence[Any]) -> Iterator[int]:
        worker = ChunkWorker(self.job, self.decode)
        for chunk in chunks:
            yield len(worker.ingest(chunk).entries)

    def settle(self, ledgers: Sequence[Any]) -> Iterator[int]:
        for ledger in ledgers:
            apply_verdict(self.job.out, ledger)
            yield 1

    def decode(self, path: Path, kind: str | None, *more: Any) -> Any:
        if self.strike is not None:
            self.strike(path, self.read)
        self.read += 1
        return self.child.read(path, kind, *more)


@dataclass
class Archive:
    """Files with a table of their paths, and what an undisturbed run made of them."""

    root: Path
    child: DecodeChild
    limits: Limits = LIMITS
    calm: Manifest = field(init=False)
    rows: list[dict[str, Any]] = field(init=False)
    refused: list[dict[str, Any]] = field(init=False)

    def fill(self, exams: int) -> None:
        """Pairs in several syntaxes, poison, a duplicate, a file that never was."""
        self.root.mkdir()
        syntaxes = ("j2k", "explicit", "jpeg_lossless", "htj2k", "rle")
        for number in range(exams):
            for kind in ("ffdm", "sm"):
                data = mammogram(number, kind, syntaxes[number % len(syntaxes)])
                (self.root / f"{number:04}-{kind}.dcm").write_bytes(data)
        for name, data in poison().items():
            (self.root / name).write_bytes(data)
        shutil.copy(self.root / "0000-sm.dcm", self.root / "zz-copy.dcm")
        self.list("catalog.csv", random.Random(0))

    def list(self, name: str, rng: random.Random) -> Path:
        """Write the table of all paths, in an order of its own."""
        names = [*sorted(path.name for path in self.root.glob("*.dcm")), "never-was.dcm"]
        rng.shuffle(names)
        with (self.root / name).open("w", newline="") as file:
            csv.writer(file).writerows([["path"], *([one] for one in names)])
        return self.root / name

    def is_undisturbed(self, out: Path, manifest: Manifest) -> None:
        """Nothing lost, nothing twice, nothing else: by ledgers, and by what the files hold."""
        rows, refused = contents(out)
        assert Counter(row["image_id"] for row in rows).most_common(1)[0][1] == 1
        assert (refused, rows) == (self.refused, self.rows)
        assert manifest.content_sha256 == self.calm.content_sha256
        assert not [path.name for path in out.rglob("*") if path.suffix in (".tmp", ".at")]

    def ingest(self, out: Path, strike: Strike | None = None) -> Manifest:
        """Ingest in this process; ``strike`` is told each file, and how many came before it."""
        told = {"source": "csv", "archive": self.root, "out": out, "images_per_shard": 3}
        self.here = Here(self.child, strike)
        return ingest_with(IngestConfig(**told, limits=self.limits), self.here.start)

    def check(self, out: Path) -> None:
        """The same command again heals the table; once more, and nothing is decoded or written."""
        self.is_undisturbed(out, self.ingest(out))
        files = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
        self.ingest(out)
        assert self.here.read == 0
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == files


def contents(out: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All rows and all refusals, checksums verified, in an order of their own."""
    shards = [
        pq.read_table(path, page_checksum_verification=True)
        for path in sorted((out / "images").glob("part-*.parquet"))
    ]
    rows = pa.concat_tables(shards).sort_by("image_id").to_pylist()
    return rows, pq.read_table(out / "quarantine.parquet").sort_by("file_id").to_pylist()


@pytest.fixture(scope="module")
def make_archive(tmp_path_factory, key) -> Iterator[Callable[[int], Archive]]:
    child = DecodeChild(LIMITS)

    def make(exams: int) -> Archive:
        folder = tmp_path_factory.mktemp("chaos")
        archive = Archive(folder / "archive", child)
        archive.fill(exams)
        archive.calm = archive.ingest(folder / "calm")
        archive.rows, archive.refused = contents(folder / "calm")
        return archive

    yield make
    child.close()
