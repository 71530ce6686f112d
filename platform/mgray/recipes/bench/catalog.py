"""Catalogue, splits, index and pairs of a whole archive, without pixels, against Arrow alone.

Ours is what an ingest and a training do with metadata: read the catalogue, give every row its
split, open the table's index, pair the images; the first two in one process, the others in another.
Arrow reads the same catalogue and joins it with itself.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from mgray.data.pairs import build_pairs
from mgray.data.splits import assign_split
from mgray.data.table import INDEX_FILE, MANIFEST, ImageTable
from mgray.progress import track
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.figures import Comparison, Measured
from mgray.recipes.bench.process import cost_alone
from mgray.schema import INDEX
from mgray.sources.csv_table import CsvSource

GOAL_S: Final = 60.0
GOAL_BYTES: Final = 4 * 10**9
POSITIVE: Final = 0.0016  # PAPERS.md 0.5: share of malignant images
VIEWS: Final = ("L-CC", "L-MLO", "R-CC", "R-MLO")
ROLES: Final = ("ffdm", "synthetic_2d")
CONSTANT: Final[dict[pa.DataType, Any]] = {
    pa.string(): "constant",
    pa.list_(pa.string()): ["one", "two"],
    pa.list_(pa.float64()): [0.07, 0.07],
    pa.list_(pa.int32()): [100, 200, 1500, 3000],
}


def measure_catalog(config: BenchConfig, work: Path) -> Measured:
    """Compare one turn of each, in processes of their own.

    Args:
        config: How many pairs.
        work: Gets a catalogue and a table without pixels, ``catalog``.
    """
    write_archive(work / "catalog", config.pairs, config.seed)
    sides = track((read_rows, read_pairs, read_bare), "time catalogue", 3, "parts")
    rows, pairs, bare = (cost_alone(side, work / "catalog") for side in sides)
    peak = max(rows.bytes, pairs.bytes)
    what = f"catalogue, splits, index, {config.pairs} pairs"
    met = "met" if peak <= GOAL_BYTES else "MISSED"
    return Measured(
        [Comparison(what, "s", [rows.seconds + pairs.seconds], [bare.seconds], goal=GOAL_S)],
        {"catalog": peak},
        [f"peak memory of {what}: {peak / 1e9:.2f} GB, goal {GOAL_BYTES / 1e9:g} GB {met}"],
    )


def read_rows(folder: Path) -> int:
    """Count the rows of the catalogue, each with its split."""
    rows = CsvSource().catalog(folder).rows
    return len([assign_split(row.labels["patient_id"], seed=0) for row in rows])


def read_pairs(folder: Path) -> int:
    """Count the pairs of the table."""
    return len(build_pairs(ImageTable.open(folder)))


def read_bare(folder: Path) -> int:
    """Count the pairs with Arrow alone; a split is given to every patient, once."""
    table = csv.read_csv(folder / "catalog.csv")
    for patient in table["patient_id"].unique().to_pylist():
        assign_split(patient, seed=0)
    keys = ["exam_id", "laterality", "view"]
    ffdm, other = (table.filter(pc.field("image_kind") == role).select(keys) for role in ROLES)
    return int(ffdm.join(other, keys, join_type="inner").num_rows)


def write_archive(folder: Path, pairs: int, seed: int) -> None:
    """Write a catalogue of so many pairs, and the index of its table, whose shard is empty.

    Args:
        folder: Made.
        pairs: An FFDM and an SM each, four of an exam, three exams of two patients.
        seed: Of the positives.
    """
    (folder / "images").mkdir(parents=True)
    columns = _columns(pairs, seed)
    _write_csv(folder / "catalog.csv", columns)
    _write_index(folder, columns)


def _columns(pairs: int, seed: int) -> dict[str, Any]:
    pair = np.arange(2 * pairs) // 2
    exam, view = pair // 4, pa.array(VIEWS).take(pa.array(pair % 4))
    side, projection = (pc.list_element(pc.split_pattern(view, "-"), at) for at in (0, 1))
    ids = [_name("patient", exam * 2 // 3), _name("exam", exam)]
    kind = pa.array(ROLES).take(pa.array(np.arange(2 * pairs) % 2))
    positive = np.repeat(np.random.default_rng(seed).random(pairs) < POSITIVE, 2)
    return {
        "path": _joined(ids[1], side, projection, kind, by="/"),
        "patient_id": ids[0],
        "exam_id": ids[1],
        "laterality": side,
        "view": projection,
        "image_kind": kind,
        "density": pa.array("abcd").take(pa.array(exam % 4)),
        "cancer": pa.array(positive.astype(np.int8)),
        "label_source": pa.repeat("pathology", 2 * pairs),
        "label_level": pa.repeat("breast", 2 * pairs),
    }


def _write_csv(path: Path, columns: dict[str, Any]) -> None:
    positive = pc.equal(columns["cancer"], 1)
    box = {"x0": 100.5, "y0": 200, "x1": 300, "y1": 400, "pathology": "malignant"}
    drawn = {name: pc.if_else(positive, value, None) for name, value in box.items()}
    csv.write_csv(pa.table(columns | drawn), path)


def _write_index(folder: Path, columns: dict[str, Any]) -> None:
    count = len(columns["path"])
    names = np.arange(count)
    own = columns | {
        "image_id": _name("image", names),
        "file_id": _name("file", names),
        "source_sha256": _hashes(count),
        "pixel_blake3": _hashes(count),
        "pair_key": _joined(columns["exam_id"], columns["laterality"], columns["view"], by="-"),
        "pair_role": columns["image_kind"],
        "split": pa.repeat("train", count),
        "annotations": _annotations(np.asarray(columns["cancer"])),
    }
    arrays = [own.get(field.name, _constant(field, count)) for field in INDEX]
    (folder / "images" / "part-0.parquet").touch()
    pq.write_table(
        pa.table(arrays, schema=INDEX),
        folder / INDEX_FILE,
        compression="zstd",
        row_group_size=16384,
    )
    told = hashlib.sha256((folder / INDEX_FILE).read_bytes()).hexdigest()
    shards = [{"file": "part-0.parquet", "bytes": 0}]
    (folder / MANIFEST).write_text(json.dumps({"shards": shards, "index": {"sha256": told}}))


def _annotations(cancer: Any) -> pa.Array:
    kind = INDEX.field("annotations").type
    told = dict.fromkeys(field.name for field in kind.value_type)
    box = {**told, "shape": "box", "coords": [100.5, 200, 300, 400], "pathology": "malignant"}
    ends = np.concatenate([[0], np.cumsum(cancer)]).astype(np.int32)
    boxes = pa.array([box] * int(ends[-1]), kind.value_type)
    return pa.ListArray.from_arrays(pa.array(ends), boxes).cast(kind)


def _constant(field: pa.Field, count: int) -> pa.Array:
    number = 1 if pa.types.is_primitive(field.type) else None
    return pa.repeat(pa.scalar(CONSTANT.get(field.type, number), field.type), count)


def _hashes(count: int) -> pa.Array:
    hexadecimal = np.frombuffer(b"0123456789abcdef", np.uint8)
    digits = hexadecimal[np.random.default_rng(0).integers(0, 16, 64 * count, dtype=np.uint8)]
    ends = np.arange(0, 64 * count + 1, 64, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(digits))


def _name(what: str, numbers: Any) -> pa.Array:
    return pc.binary_join_element_wise(what, pc.cast(pa.array(numbers), pa.string()), "-")


def _joined(*texts: pa.Array, by: str) -> pa.Array:
    return pc.binary_join_element_wise(*texts, by)
