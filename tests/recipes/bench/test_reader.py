from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.data.table import ImageTable
from mgray.dicom.codecs import encode_htj2k
from mgray.recipes.bench.config import BenchConfig
from mgray.recipes.bench.reader import decode_bare, measure_reader, read_row
from mgray.schema import IMAGE

Row = tuple[str, np.ndarray, dict[str, Any]]
"""Name, stored values, other columns."""


@pytest.fixture
def work(tmp_path: Path, finish_table: Any) -> Path:
    """A table of one image of 2100 x 40 and one of 900 x 40."""
    random = np.random.default_rng(0)
    rows = [(str(rows), random.integers(0, 4096, (rows, 40)), {}) for rows in (2100, 900)]
    table_of(tmp_path, rows, finish_table)
    return tmp_path


def table_of(work: Path, rows: list[Row], finish_table: Any) -> Path:
    """Write a finished table."""
    folder = work / "table"
    (folder / "images").mkdir(parents=True)
    table = pa.Table.from_pylist([row_of(*row) for row in rows], schema=IMAGE)
    pq.write_table(table, folder / "images" / "part-0.parquet", write_page_checksum=True)
    finish_table(folder)
    return folder


def row_of(name: str, stored: np.ndarray, columns: dict[str, Any]) -> dict[str, Any]:
    height, width = stored.shape
    texts = ("patient_id", "exam_id", "dataset", "source_sha256", "kind_evidence", "pixel_blake3")
    return dict.fromkeys(IMAGE.names) | dict.fromkeys(texts, "") | {
        "image_id": name, "split": "test", "image_kind": "ffdm", "rows": height, "columns": width,
        "number_of_frames": 1, "bits_allocated": 16, "bits_stored": 12, "pixel_representation": 0,
        "pixel_codec": "htj2k", "pixel_offset": 0, "pixel_reduce": 0, "cropper": "p1",
        "photometric_interpretation": "MONOCHROME2", "annotations": [], "qc_flags": [],
        "pixels": encode_htj2k(stored.astype(np.int32)),
    } | columns  # fmt: skip


def test_both_sides_decode_the_smallest_size_of_1024_and_more(work: Path) -> None:
    table = ImageTable.open(work / "table")
    shapes = [np.shape(read_row(table, row)) for row in (0, 1)]
    assert shapes == [np.shape(decode_bare(record)) for record in table.records([0, 1])]
    assert shapes == [(1050, 20), (900, 40)]


def test_the_reader_is_compared(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgray.recipes.bench.reader.LEAST_READS", 3)
    (found,) = measure_reader(BenchConfig(repeats=2), [work / "table"]).comparisons
    assert found.is_rate
    assert found.what == "read 2100-row images at 1024 px and more"
    assert len(found.ours) == 2
    assert min(*found.ours, *found.bare) > 0
