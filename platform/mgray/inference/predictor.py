"""A model folder and image records in, detections in the DICOM's own pixels out.

Evaluation, pseudo-labels and the endpoint all run this code. An answer depends on the model and the
image alone: the batch has one fixed shape, padded with zeros, and the forward pass runs on one
thread (two threads split the sums of a convolution elsewhere and change the last bits). For work in
parallel take several predictors.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgray.config import build
from mgray.data.transforms import PreprocessConfig
from mgray.errors import DataError
from mgray.inference.postprocess import Kept, PostprocessConfig, select_boxes, to_dicom
from mgray.inference.prepare import Prepared, prepare_case
from mgray.models.efficientdet import anchors_of
from mgray.models.fused import FusedDetector, UpperBound
from mgray.models.meta import ModelMeta
from mgray.models.outputs import Outputs
from mgray.models.saved import load_model


@dataclass(frozen=True)
class Detection:
    """One box the model suggests.

    Args:
        box: ``xyxy``, half-open, pixels of the dicom frame, clipped to the image.
        score: 0 to 1.
        label: ``benign`` or ``malignant``.
    """

    box: tuple[float, float, float, float]
    score: float
    label: str


class Predictor:
    """A loaded model and its one way to an answer.

    Args:
        model: In eval mode on ``device``; takes one image batch for each of ``meta.inputs``.
        meta: Of the model folder: inputs, preprocessing, detector.
        device: Where the model is.
        batch_size: Cases in one forward pass, always; a smaller rest is padded.
        postprocess: Limits on the boxes.
    """

    def __init__(
        self,
        model: nn.Module,
        meta: ModelMeta,
        device: str = "cpu",
        batch_size: int = 1,
        postprocess: PostprocessConfig | None = None,
    ) -> None:
        self.model, self.meta, self.device = model.eval(), meta, device
        self.batch_size = batch_size
        self.postprocess = postprocess or PostprocessConfig()
        self.preprocess = build(PreprocessConfig, meta.preprocess)
        size = (self.preprocess.net_height, self.preprocess.net_width)
        self.anchors = anchors_of(model, meta.detector, *size)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", batch_size: int = 1) -> "Predictor":
        """Load a model folder.

        Raises:
            NotFoundError: No such folder, or no weights in it.
            SchemaError: A folder of another format version.
            DataError: Files that do not match their checksums.
        """
        model, meta = load_model(folder, device)
        return cls(model, meta, device, batch_size, meta.postprocess)

    def predict(self, cases: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[list[Detection]]:
        """Detect on rows of the image table, or on what ``read_record`` gives.

        Args:
            cases: For each case, a record under each of ``meta.inputs``: ``sm``, ``ffdm``.

        Returns:
            For each case, detections by falling score, in the dicom frame of its first input.
        """
        answers: list[list[Detection]] = []
        for start in range(0, len(cases), self.batch_size):
            group = cases[start : start + self.batch_size]
            answers += self.detect(
                [prepare_case(case, self.meta.inputs, self.preprocess) for case in group]
            )
        return answers

    def detect(self, cases: Sequence[Prepared]) -> list[list[Detection]]:
        """Detect on prepared cases, ``batch_size`` at a time."""
        answers: list[list[Detection]] = []
        for start in range(0, len(cases), self.batch_size):
            group = cases[start : start + self.batch_size]
            answers += [
                self._to_detections(kept, case)
                for kept, case in zip(self._forward(group), group, strict=True)
            ]
        return answers

    def contributions(self, case: Prepared) -> tuple[list[Detection], list[Detection]] | None:
        """Detect with each half of the fused representation alone, the other one set to zero.

        Returns:
            With A's half and with B's (the upper bound's: C's); None of a model without halves.
        """
        if not isinstance(self.model, FusedDetector | UpperBound):
            return None
        with _reproducible():
            inputs = [self._stack([case], kind) for kind in self.meta.inputs]
            outputs = self.model.halves(self.model.features(*inputs))
            (a,), (b,) = (self._select(one, 1) for one in outputs)
        return self._to_detections(a, case), self._to_detections(b, case)

    def _forward(self, cases: Sequence[Prepared]) -> list[Kept]:
        """Boxes in the net frame."""
        with _reproducible():
            outputs = self.model(*(self._stack(cases, kind) for kind in self.meta.inputs))
            return self._select(outputs, len(cases))

    def _select(self, outputs: Outputs, cases: int) -> list[Kept]:
        logits, deltas = outputs.flat()
        if not (logits.isfinite().all() and deltas.isfinite().all()):
            raise DataError("the model answers with what is no number: train or export it again")
        return [
            select_boxes(logits[i], deltas[i], self.anchors, self.postprocess) for i in range(cases)
        ]

    def _stack(self, cases: Sequence[Prepared], kind: str) -> Float[Tensor, "batch 3 height width"]:
        height, width = self.preprocess.net_height, self.preprocess.net_width
        batch = np.zeros((self.batch_size, 1, height, width), np.float32)
        for i, case in enumerate(cases):
            batch[i, 0] = case.planes[kind]
        return torch.from_numpy(batch).to(self.device).expand(-1, 3, -1, -1).contiguous()

    def _to_detections(self, kept: Kept, case: Prepared) -> list[Detection]:
        """Map to the dicom frame, clip, and drop what lies in the padding."""
        scored = zip(
            to_dicom(kept, case.geometry, case.rows, case.columns).tolist(),
            kept.scores.tolist(),
            kept.classes.tolist(),
            strict=True,
        )
        return [
            Detection((x0, y0, x1, y1), score, self.meta.labels[label])
            for (x0, y0, x1, y1), score, label in scored
            if x1 > x0 and y1 > y0
        ]


@contextmanager
def _reproducible() -> Iterator[None]:
    """No gradients, one thread, and only CUDA kernels that repeat themselves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cudnn = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    try:
        with torch.inference_mode(), cudnn:
            yield
    finally:
        torch.set_num_threads(threads)
