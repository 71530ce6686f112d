"""A table of ten tiny pairs and the smallest run over it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.config import replace
from mgray.dicom.codecs import encode_htj2k
from mgray.recipes.fusion import TRAINED, FusionRun, run_fusion, smoke
from mgray.schema import IMAGE

KINDS = {"sm": "synthetic_2d", "ffdm": "ffdm"}


def make_row(number: int, kind: str, stored: np.ndarray, box: list[float] | None) -> dict[str, Any]:
    height, width = stored.shape
    finding = {
        "finding_id": "f",
        "shape": "box",
        "coords": box,
        "pathology": "malignant",
        "visible": True,
    }
    return dict.fromkeys(IMAGE.names) | {
        "image_id": f"{number}/{kind}", "patient_id": f"p{number}", "exam_id": f"e{number}",
        "dataset": "test", "licence_tag": "CC0-1.0", "source_sha256": "",
        "split": "val" if number >= 8 else "train", "image_kind": KINDS[kind],
        "kind_evidence": "test", "pair_key": f"k{number}", "pair_role": KINDS[kind],
        "photometric_interpretation": "MONOCHROME2", "rows": height, "columns": width,
        "number_of_frames": 1, "bits_allocated": 16, "bits_stored": 12, "pixel_codec": "htj2k",
        "pixel_representation": 0, "pixel_offset": 0, "pixel_blake3": "", "pixels_face": "right",
        "pixels": encode_htj2k(stored), "pixel_reduce": 0, "cropper": "p1",
        "annotations": [finding] if box else [], "qc_flags": [],
    }  # fmt: skip


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory, finish_table: Callable[[Path], Path]) -> Path:
    """Noise of 128x128; every other pair has a bright lesion."""
    folder = tmp_path_factory.mktemp("table")
    random = np.random.default_rng(0)
    rows = []
    for number in range(10):
        x, y = random.integers(20, 80, 2).tolist()
        for kind in KINDS:
            stored = random.integers(0, 1000, (128, 128)).astype(np.int32)
            if number % 2:
                stored[y : y + 32, x : x + 32] += 2000
            rows.append(
                make_row(number, kind, stored, [x, y, x + 32.0, y + 32.0] if number % 2 else None)
            )
    (folder / "images").mkdir()
    table = pa.Table.from_pylist(rows, schema=IMAGE)
    pq.write_table(table, folder / "images" / "part-0.parquet")
    return finish_table(folder)


@pytest.fixture(scope="session")
def tiny(table: Path) -> FusionRun:
    """A whole run in seconds: two steps a stage, in this process."""
    return replace(
        smoke(),
        {
            "data": table, "detector.weights": "none", "train.workers": 0,
            "batches.global_batch_size": 4, "batches.preprocess.net_height": 128,
            "batches.preprocess.net_width": 128, "train.steps": dict.fromkeys(TRAINED, 2),
            "train.log_every": 1, "train.validate_every": 2, "train.checkpoint_every": 1,
        },
    )  # fmt: skip


@pytest.fixture(scope="session")
def finished(tiny: FusionRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of ``tiny``."""
    out = tmp_path_factory.mktemp("run")
    run_fusion(replace(tiny, {"out": out}))
    return out
