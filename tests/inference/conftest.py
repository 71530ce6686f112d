"""Image records and tables of bright dots, and model folders with random weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.dicom.codecs import encode_htj2k
from mgray.models.saved import save_model
from mgray.schema import IMAGE
from tests.networks import small_meta, spread_model

Record = dict[str, Any]


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """Build an image record: noise in a breast that touches the left edge."""

    def make(seed: int = 0, size: tuple[int, int] = (300, 200), **changes: Any) -> Record:
        height, width = size
        stored = np.zeros(size, np.int32)
        noise = np.random.default_rng(seed).integers(500, 3000, (height - 80, width // 2))
        stored[40:-40, : width // 2] = noise
        values = dict.fromkeys(IMAGE.names) | {
            "image_id": f"i{seed}", "patient_id": f"p{seed}", "exam_id": "e", "dataset": "test",
            "source_sha256": "", "split": "test", "image_kind": "synthetic_2d",
            "kind_evidence": "test", "photometric_interpretation": "MONOCHROME2",
            "rows": height, "columns": width, "number_of_frames": 1, "bits_allocated": 16,
            "bits_stored": 12, "pixel_representation": 0, "pixel_codec": "htj2k",
            "pixel_offset": 0, "pixel_reduce": 0, "cropper": "p1",
            "pixel_blake3": "", "pixels_face": "right",
            "breast_box": [0, 40, width // 2, height - 40], "annotations": [], "qc_flags": [],
            "pixels": encode_htj2k(stored),
        }  # fmt: skip
        return values | changes

    return make


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a model folder with random weights whose scores spread; the same for the same kind."""

    def make(kind: str = "fused", inputs: tuple[str, ...] = ("sm",)) -> Path:
        meta = small_meta(kind=kind, inputs=inputs, thresholds={"fppi_1": 0.25})
        folder = tmp_path_factory.mktemp("models") / kind
        save_model(folder, spread_model(meta), meta)
        return folder

    return make


@pytest.fixture(scope="session")
def fused_folder(make_model: Callable[..., Path]) -> Path:
    return make_model()


@pytest.fixture(scope="session")
def table_folder(
    make_record: Callable[..., Record],
    tmp_path_factory: pytest.TempPathFactory,
    finish_table: Callable[[Path], Path],
) -> Path:
    """Five pairs, one of them of another split; in the table they lie in another order."""
    rows = [
        make_record(
            number,
            image_id=f"{kind}{number}",
            image_kind=kind,
            pair_key=f"pair{number}",
            pair_role=kind,
            split="train" if number == 4 else "test",
        )
        for number in (2, 0, 4, 1, 3)
        for kind in ("synthetic_2d", "ffdm")
    ]
    folder = tmp_path_factory.mktemp("table")
    (folder / "images").mkdir()
    path = folder / "images" / "part-00000.parquet"
    table = pa.Table.from_pylist(rows, schema=IMAGE)
    pq.write_table(table, path)
    return finish_table(folder)
