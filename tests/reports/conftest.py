"""A made-up run whose every number is known: ten test pairs, four val pairs, five models."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch import nn

from mgray.data.table import ImageTable
from mgray.dicom.codecs import encode_htj2k
from mgray.ingest.pairs import write_pairs
from mgray.metrics.config import BootstrapConfig, HitConfig
from mgray.models.config import DetectorConfig
from mgray.models.folder import ModelMeta
from mgray.models.saved import save_model
from mgray.reports.cases import Cases, build_cases
from mgray.reports.config import EvaluateConfig
from mgray.reports.evaluate import evaluate
from mgray.reports.predictions import collect_predictions
from mgray.schema import IMAGE, PAIR, PREDICTION

PAIRS = {"val": 4, "test": 10}
POSITIVE = {"val": 2, "test": 6}  # the first ones
FINDS = {
    "untrained": (),
    "sm": (0, 3),
    "ffdm": (0, 1, 2),
    "fused": (0, 1, 3),
    "upper_bound": (0, 1, 2, 3),
}
FALSE = {"sm": {"val": 3, "test": 7}, "ffdm": {"val": 2, "test": 6}}  # pair with a mark of 0.8
ROLES = {"ffdm": "ffdm", "synthetic_2d": "sm"}
SIZES = {"ffdm": (96, 80), "sm": (58, 48)}
LESION = {"ffdm": [20.0, 30.0, 40.0, 50.0], "sm": [12.0, 18.0, 24.0, 30.0]}
ELSEWHERE = {"ffdm": [50.0, 70.0, 60.0, 80.0], "sm": [30.0, 42.0, 36.0, 48.0]}
SECRET = "PRIVATE-NAME"
Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """The folders of a run and its table, and the predictor that knows the answers."""

    config: EvaluateConfig
    calls: list[str]

    def predict(
        self, folders: Mapping[str, Path], data: Path, splits: Sequence[str]
    ) -> Iterator[tuple[str, pa.Table]]:
        for model in folders:
            self.calls.append(model)
            rows = [prediction(model, s, n) for s in splits for n in range(PAIRS[s])]
            yield model, pa.Table.from_pylist(rows, schema=PREDICTION)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory, finish_table: Callable[[Path], Path]) -> Path:
    """``table`` and ``run`` below one folder."""
    root = tmp_path_factory.mktemp("world")
    write_table(root / "table")
    finish_table(root / "table")
    for model in FINDS:
        kind = "ffdm" if model == "ffdm" else "sm"
        told = {"detector": DetectorConfig(weights="none"), "data_licences": ("EMBED",)}
        meta = ModelMeta(kind="detector", inputs=(kind,), **told)
        save_model(root / "run" / "models" / model, nn.Linear(1, 1), meta)
    write_run(root / "run")
    return root


@pytest.fixture
def world(folders: Path, tmp_path: Path) -> World:
    """A fresh out folder for the shared run."""
    return make_world(folders, tmp_path / "out")


@pytest.fixture
def splits(world: World) -> dict[str, Cases]:
    """What the models found in each split, beside what is there."""
    predictions = collect_predictions(world.config, world.predict)
    table = ImageTable.open(world.config.data)
    return {s: build_cases(table, predictions, s, world.config.hit) for s in ("val", "test")}


@pytest.fixture(scope="session")
def evaluated(folders: Path) -> World:
    """The run once evaluated; its out folder holds the report."""
    world = make_world(folders, folders / "out")
    evaluate(world.config, world.predict)
    return world


@pytest.fixture
def changed_table(
    tmp_path: Path, finish_table: Callable[[Path], Path]
) -> Callable[[Callable[[Row], None]], Path]:
    """Write the table anew with a change made to every row."""

    def write(change: Callable[[Row], None]) -> Path:
        write_table(tmp_path / "changed", change)
        return finish_table(tmp_path / "changed")

    return write


@pytest.fixture
def drawn_on_ffdm(changed_table: Callable[[Callable[[Row], None]], Path]) -> Path:
    """The table with all findings drawn on the FFDM alone."""

    def lose(row: Row) -> None:
        if row["image_kind"] != "ffdm":
            row["annotations"] = []

    return changed_table(lose)


def make_world(folders: Path, out: Path) -> World:
    config = EvaluateConfig(
        run=folders / "run",
        data=folders / "table",
        out=out,
        hit=HitConfig(min_radius_px=10),
        bootstrap=BootstrapConfig(replicates=100),
        gallery=2,
    )
    return World(config, [])


def write_table(folder: Path, change: Callable[[Row], None] = lambda row: None) -> None:
    rows = [
        image(split, number, kind)
        for split, count in PAIRS.items()
        for number in range(count)
        for kind in SIZES
    ]
    for row in rows:
        change(row)
    (folder / "images").mkdir(parents=True)
    table = pa.Table.from_pylist(rows, schema=IMAGE)
    pq.write_table(table, folder / "images" / "part-00000.parquet", write_page_checksum=True)
    write_pairs(folder / "pairs.parquet", pa.Table.from_pylist(list(alignment()), schema=PAIR), "")


def alignment() -> Iterator[Row]:
    """What an ingest says of the pairs; of the first one of each split, that it saw no breast."""
    for split, count in PAIRS.items():
        for number in range(count):
            key = f"{split}{number}"
            ids = {f"{role}_image_id": f"{key}/{kind}" for role, kind in ROLES.items()}
            seen = {"dice": 1 - number / 100, "centroid_offset": number / 200} if number else {}
            yield {"pair_key": key, "dice": None, "centroid_offset": None} | ids | seen


def image(split: str, number: int, kind: str) -> Row:
    height, width = SIZES[kind]
    y, x = np.mgrid[:height, :width] / height
    stored = (3000 * np.clip(1 - x**2 / 0.36 - (y - 0.5) ** 2 / 0.16, 0, 1)).astype(np.int32)
    role = {"ffdm": "ffdm", "sm": "synthetic_2d"}[kind]
    finding = {
        "finding_id": "f", "shape": "box", "coords": LESION[kind], "categories": ["mass"],
        "pathology": "malignant", "visible": kind == "ffdm", "source": "test", "clipped": False,
    }  # fmt: skip
    return dict.fromkeys(IMAGE.names) | {
        "image_id": f"{split}{number}/{kind}", "patient_id": f"{split} patient {number // 2}",
        "exam_id": "e", "dataset": "test", "extra_json": SECRET, "source_sha256": "",
        "split": split, "image_kind": role, "kind_evidence": "test", "pair_role": role,
        "pair_key": f"{split}{number}", "photometric_interpretation": "MONOCHROME2",
        "rows": height, "columns": width, "number_of_frames": 1, "bits_allocated": 16,
        "bits_stored": 12, "pixel_representation": 0, "pixel_codec": "htj2k", "pixel_offset": 0,
        "pixel_blake3": "", "pixels_face": "right", "qc_flags": [], "density": "b",
        "pixels": encode_htj2k(stored), "pixel_reduce": 0, "cropper": "p1",
        "annotations": [finding] if number < POSITIVE[split] else [],
    }  # fmt: skip


def prediction(model: str, split: str, number: int) -> Row:
    kind = "ffdm" if model == "ffdm" else "sm"
    marks = [(LESION[kind], 0.9)] if number in FINDS[model] and number < POSITIVE[split] else []
    marks += [(ELSEWHERE[kind], 0.8)] if FALSE.get(model, {}).get(split) == number else []
    marks += [(ELSEWHERE[kind], 0.1)] * 2
    detections = [{"box": box, "score": score, "label": "malignant"} for box, score in marks]
    benign = {"box": LESION[kind], "score": 0.99, "label": "benign"}
    return {
        "model": model, "image_id": f"{split}{number}/{kind}", "pair_key": f"{split}{number}",
        "patient_id": f"{split} patient {number // 2}", "split": split,
        "detections": [benign, *detections],
    }  # fmt: skip


def write_run(run: Path) -> None:
    """What training leaves behind, small."""
    for stage, name in (("sm", "loss"), ("student", "similarity")):
        folder = run / "stages" / stage
        folder.mkdir(parents=True)
        rows = [{"step": n, name: 0.1 * n} for n in (1, 2)] + [{"step": 2, f"val_{name}": 0.3}]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = {
        "seed": 5,
        "versions": {"torch": "9.9"},
        "stages": {"sm": {"steps": 2, "seconds": 1.5}},
    }
    (run / "run.json").write_text(json.dumps(record))
    (run / "config.resolved.yaml").write_text(f"data: {SECRET}\nseed: 5\nweights: /home/{SECRET}\n")
