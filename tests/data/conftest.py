"""Tiny image tables: any columns, any pixels, real Parquet."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.dicom.codecs import encode_htj2k
from mgray.schema import IMAGE

Row = dict[str, Any]
MakeRow = Callable[..., Row]
WriteTable = Callable[..., Path]


@pytest.fixture(scope="session")
def make_row() -> MakeRow:
    """Build a row of the image table around stored values; any column can be changed."""

    def make(stored: np.ndarray | None = None, **changes: Any) -> Row:
        stored = np.zeros((64, 48), np.int32) if stored is None else stored.astype(np.int32)
        height, width = stored.shape
        values = dict.fromkeys(IMAGE.names) | {
            "image_id": "i", "patient_id": "p", "exam_id": "e", "dataset": "test",
            "source_sha256": "", "split": "train", "image_kind": "synthetic_2d",
            "kind_evidence": "test", "photometric_interpretation": "MONOCHROME2",
            "rows": height, "columns": width, "number_of_frames": 1, "bits_allocated": 16,
            "bits_stored": 12, "pixel_representation": 0, "pixel_codec": "htj2k",
            "pixel_offset": 0, "pixel_reduce": 0, "cropper": "p1",
            "pixel_blake3": "", "pixels_face": "right",
            "annotations": [], "qc_flags": [], "extra_json": "private",
            "pixels": encode_htj2k(stored),
        }  # fmt: skip
        unknown = set(changes) - set(values)
        assert not unknown, unknown
        return values | changes

    return make


@pytest.fixture
def write_table(tmp_path: Path, finish_table: Callable[[Path], Path]) -> WriteTable:
    """Write rows as a finished table; returns its folder."""

    def write(rows: Sequence[Row], shards: int = 2, schema: pa.Schema = IMAGE) -> Path:
        (tmp_path / "images").mkdir()
        for number in range(shards):
            pq.write_table(
                pa.Table.from_pylist(list(rows[number::shards]), schema=schema),
                tmp_path / "images" / f"part-{number:05d}.parquet",
            )
        return finish_table(tmp_path)

    return write


@pytest.fixture(scope="session")
def make_finding() -> Callable[..., dict[str, Any]]:
    """Build one annotation."""

    def make(box: Sequence[float], **changes: Any) -> dict[str, Any]:
        return {
            "finding_id": "f", "shape": "box", "coords": list(map(float, box)), "categories": [],
            "pathology": "malignant", "visible": True, "source": "test", "clipped": False,
        } | changes  # fmt: skip

    return make


@pytest.fixture(scope="session")
def make_pair_rows(make_row: MakeRow) -> Callable[..., list[Row]]:
    """Build the FFDM and the SM of one breast; ``sm`` and ``ffdm`` hold columns of one of them."""

    def make(key: str, sm: Row | None = None, ffdm: Row | None = None, **both: Any) -> list[Row]:
        common = {"pair_key": key, "patient_id": f"patient of {key}"} | both
        rows = []
        for kind, role, own in (("sm", "synthetic_2d", sm), ("ffdm", "ffdm", ffdm)):
            columns = {"image_id": f"{key}/{kind}", "pair_role": role, "image_kind": role}
            rows.append(make_row(**(common | columns | (own or {}))))
        return rows

    return make


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an S3 client asks for."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
