"""Predictions meet truth: the pairs of a split, each model's marks on them, their outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from mgray.data.pairs import Pair, build_pairs
from mgray.data.table import ImageTable
from mgray.data.targets import FINDING_COLUMNS, shared_annotations
from mgray.errors import DataError
from mgray.metrics.bootstrap import Patients, group_patients
from mgray.metrics.config import HitConfig
from mgray.metrics.outcomes import ImageMarks, Outcomes, score_images

KINDS: Final = ("ffdm", "sm")
GROUP_COLUMNS: Final = ("density", "view", "manufacturer", "dataset", "age")
_COLUMNS: Final = list(
    dict.fromkeys([*FINDING_COLUMNS, "imager_pixel_spacing_mm", "rows", "columns", *GROUP_COLUMNS])
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Cases:
    """One split, ready to be measured.

    Attributes:
        pairs: What every model has seen, sorted by key.
        rows: For ``sm`` and ``ffdm``, the image table's row of each pair, without pixels.
        kinds: The image that each model's boxes are on.
        images: Truth and marks, for each model and pair.
        outcomes: What came of them.
        patients: Who is drawn by the bootstrap.
        left_out: Pairs not measured, with the reason.
    """

    pairs: list[Pair]
    rows: dict[str, list[Row]]
    kinds: dict[str, str]
    images: dict[str, list[ImageMarks]]
    outcomes: dict[str, Outcomes]
    patients: Patients
    left_out: dict[str, int]

    @property
    def positive(self) -> Bool[np.ndarray, " pair"]:
        """Pairs with a malignant box in either image."""
        rows = zip(*(self.rows[kind] for kind in KINDS), strict=True)
        return np.array([any(map(lesions, both)) for both in rows], bool)


def build_cases(table: ImageTable, predictions: pa.Table, split: str, hit: HitConfig) -> Cases:
    """Join the predictions of one split with the truth.

    A finding drawn on one image of a pair counts on both, as in training.

    Left out are pairs that a model has no prediction for, and pairs known to be malignant without
    a box in either image (their truth is unknown, as in the paper).

    Raises:
        DataError: No pair is left, or a prediction is on an image that is not its pair's.
    """
    found = _by_model(predictions, split)
    pairs = [pair for pair in build_pairs(table) if pair.split == split]
    seen = [p for p in pairs if all(p.pair_key in rows for rows in found.values())]
    rows = _shared({kind: _rows(table, [p.rows[kind] for p in seen]) for kind in KINDS})
    boxed = [any(lesions(rows[kind][n]) for kind in KINDS) for n in range(len(seen))]
    keep = [n for n, pair in enumerate(seen) if boxed[n] or not pair.malignant]
    if not keep:
        raise DataError(f"split {split} has no pair with predictions of every model: ingest more")
    left_out = {
        "no prediction": len(pairs) - len(seen),
        "malignant without a box": len(seen) - len(keep),
    }
    rows = {kind: [rows[kind][n] for n in keep] for kind in KINDS}
    kept = [seen[n] for n in keep]
    kinds, images = {}, {}
    for model, by_key in found.items():
        marks = [by_key[pair.pair_key] for pair in kept]
        kinds[model] = _kind(marks[0], {kind: rows[kind][0] for kind in KINDS})
        images[model] = [_marks(m, row) for m, row in zip(marks, rows[kinds[model]], strict=True)]
    positive = np.array([boxed[n] for n in keep], bool)
    return Cases(
        kept,
        rows,
        kinds,
        images,
        {model: score_images(marks, hit) for model, marks in images.items()},
        group_patients([pair.patient_id for pair in kept], positive),
        left_out,
    )


def lesions(row: Mapping[str, Any]) -> list[Row]:
    """The malignant boxes of an image."""
    return [a for a in row["annotations"] if a["pathology"] == "malignant" and a["shape"] == "box"]


def image_scores(cases: Cases, model: str) -> Float[np.ndarray, " pair"]:
    """Each image's highest score of a malignant mark; 0 where there is none."""
    return np.array([marks.scores.max(initial=0.0) for marks in cases.images[model]], float)


def visibility(cases: Cases, model: str) -> list[str]:
    """Where each lesion of a model's images shows: ffdm, sm, both, neither or unknown.

    In the order of the model's outcomes.
    """
    words = []
    for ffdm, sm, row in zip(
        cases.rows["ffdm"], cases.rows["sm"], cases.rows[cases.kinds[model]], strict=True
    ):
        shows = [{a["finding_id"]: a["visible"] for a in lesions(side)} for side in (ffdm, sm)]
        for lesion in lesions(row):
            words += [_where(*(side.get(lesion["finding_id"]) for side in shows))]
    return words


def _where(ffdm: bool | None, sm: bool | None) -> str:
    if ffdm is None or sm is None:
        return "unknown"
    return {(True, True): "both", (True, False): "ffdm", (False, True): "sm"}.get(
        (ffdm, sm), "neither"
    )


def _by_model(predictions: pa.Table, split: str) -> dict[str, dict[str, Row]]:
    table = predictions.filter(pc.equal(predictions["split"], split))
    found: dict[str, dict[str, Row]] = {
        name: {} for name in predictions["model"].unique().to_pylist()
    }
    for row in table.to_pylist():
        found[row["model"]][row["pair_key"]] = row
    return found


def _rows(table: ImageTable, numbers: Sequence[int]) -> list[Row]:
    rows: list[Row] = table.index.select(_COLUMNS).take(pa.array(numbers, pa.int64())).to_pylist()
    return rows


def _shared(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Give each image the findings that only its partner has a box of."""
    partners = {kind: rows[other] for kind, other in zip(KINDS, reversed(KINDS), strict=True)}
    return {
        kind: [
            {**row, "annotations": shared_annotations(row, partner)}
            for row, partner in zip(rows[kind], partners[kind], strict=True)
        ]
        for kind in KINDS
    }


def _kind(prediction: Row, rows: Mapping[str, Row]) -> str:
    for kind, row in rows.items():
        if row["image_id"] == prediction["image_id"]:
            return kind
    raise DataError("a prediction is on an image that is not its pair's: predict again")


def _marks(prediction: Row, row: Row) -> ImageMarks:
    if prediction["image_id"] != row["image_id"]:
        raise DataError("a prediction is on an image that is not its pair's: predict again")
    marks = [d for d in prediction["detections"] if d["label"] == "malignant"]
    spacing = row["imager_pixel_spacing_mm"]
    return ImageMarks(
        _boxes([a["coords"] for a in lesions(row)]),
        _boxes([d["box"] for d in marks]),
        np.array([d["score"] for d in marks], float),
        float(np.mean(spacing)) if spacing else None,
    )


def _boxes(rows: Sequence[Sequence[float]]) -> Float[np.ndarray, "_ 4"]:
    return np.array(rows, float).reshape(-1, 4)
