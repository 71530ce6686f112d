"""FAUC-1 of the validation pairs while a detector trains, by the rules of the evaluation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from mgray.data.batches import Batch
from mgray.data.config import PreprocessConfig
from mgray.data.pairs import Pair
from mgray.data.table import ImageTable
from mgray.data.targets import FINDING_COLUMNS, shared_annotations
from mgray.data.transforms import locate
from mgray.errors import DataError
from mgray.inference.postprocess import Kept, select_boxes, to_dicom
from mgray.metrics.area import fauc_statistic
from mgray.metrics.bootstrap import group_patients, resample
from mgray.metrics.config import BootstrapConfig, HitConfig
from mgray.metrics.froc import fauc, froc
from mgray.metrics.outcomes import ImageMarks, Outcomes, score_images, select
from mgray.models.config import PostprocessConfig
from mgray.models.outputs import Outputs
from mgray.training.collective import gather_from_workers
from mgray.training.task import DetectionTask

COLUMNS = ("imager_pixel_spacing_mm", *FINDING_COLUMNS)


class Judge:
    """Collect one validation's boxes and measure them.

    A finding drawn on one image of a pair counts on both; pairs known to be malignant without a box
    are left out, as ``mgray.reports`` does.

    Args:
        table: Of the images.
        pairs: What ``Batch.pair_indices`` counts in.
        task: Whose boxes they are; names the image that they are on.
        preprocess: Of the network's input.
        postprocess: Limits on the boxes.
    """

    def __init__(
        self,
        table: ImageTable,
        pairs: list[Pair],
        task: DetectionTask,
        preprocess: PreprocessConfig,
        postprocess: PostprocessConfig,
    ) -> None:
        self.table, self.pairs, self.task = table, pairs, task
        self.preprocess, self.postprocess = preprocess, postprocess
        self.seen: dict[int, ImageMarks] = {}

    def see(self, batch: Batch, outputs: Outputs) -> None:
        """Note the boxes of one worker's share of a batch; pairs seen before count once."""
        anchors = self.task.model.anchors(*batch.images[self.task.inputs[0]].shape[-2:])
        logits, deltas = (part.float() for part in outputs.flat())
        for number, scores, moves in zip(batch.pair_indices, logits, deltas, strict=True):
            pair = self.pairs[number]
            if not pair.malignant or pair.drawn:
                kept = select_boxes(scores, moves, anchors, self.postprocess)
                self.seen[number] = self._marks(pair, kept)

    def measure(self, hit: HitConfig, intervals: BootstrapConfig) -> dict[str, float]:
        """Return ``fauc_1`` and ``fauc_1_plus`` of what all workers saw, and forget it.

        Args:
            hit: When a box is a hit.
            intervals: Of ``fauc_1_plus``: adds ``fauc_1_plus_low`` and ``fauc_1_plus_high``, unless
                there are no replicates or one of them is undefined.

        Raises:
            DataError: No validation pair has a malignant box.
        """
        shares = gather_from_workers(self.seen)
        seen = {number: marks for share in shares for number, marks in share.items()}
        self.seen = {}
        numbers = sorted(seen)
        outcomes = score_images([seen[number] for number in numbers], hit)
        if not outcomes.positive.any():
            raise DataError("no validation pair has a malignant box: set train.judge=loss")
        plus = select(outcomes, outcomes.positive)
        values = {"fauc_1": fauc(froc(outcomes)).raw, "fauc_1_plus": fauc(froc(plus)).raw}
        ids = [self.pairs[number].patient_id for number in np.array(numbers)[outcomes.positive]]
        return values | _interval(plus, ids, intervals)

    def _marks(self, pair: Pair, kept: Kept) -> ImageMarks:
        kind, *others = sorted(pair.rows, key=lambda kind: kind != self.task.inputs[0])
        own, partner = self._row(pair.rows[kind]), self._row(pair.rows[others[0]])
        boxes = to_dicom(kept, locate(own, self.preprocess), own["rows"], own["columns"])
        malignant = (kept.classes == self.task.model.config.classes - 1).cpu().numpy()
        good = malignant & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        spacing = own["imager_pixel_spacing_mm"]
        return ImageMarks(
            _lesions(own, partner),
            boxes[good],
            kept.scores.cpu().numpy().astype(float)[good],
            float(np.mean(spacing)) if spacing else None,
        )

    def _row(self, number: int) -> dict[str, Any]:
        index = self.table.index.select(list(COLUMNS))
        row: dict[str, Any] = index.take(pa.array([number], pa.int64())).to_pylist()[0]
        return row


def _interval(plus: Outcomes, patient_ids: list[str], config: BootstrapConfig) -> dict[str, float]:
    """95 % interval of FAUC-1 on positive images; images without a finding have no part in it."""
    patients = group_patients(patient_ids, plus.positive)
    [found] = resample([fauc_statistic(plus)], patients, config)
    interval = found.interval()
    return dict(zip(("fauc_1_plus_low", "fauc_1_plus_high"), interval or (), strict=False))


def _lesions(own: Mapping[str, Any], partner: Mapping[str, Any]) -> Float[np.ndarray, "_ 4"]:
    boxes = [
        annotation["coords"]
        for annotation in shared_annotations(own, partner)
        if annotation["pathology"] == "malignant" and annotation["shape"] == "box"
    ]
    return np.array(boxes, float).reshape(-1, 4)
