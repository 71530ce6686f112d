"""One pair's images and the findings to learn from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgray.data.augment import Augmentation
from mgray.data.transforms import Geometry, PreprocessConfig, prepare

LABEL_OF_PATHOLOGY: Final = {"benign": 0, "high_risk": 0, "malignant": 1}
"""Classes of the detector. Findings of other or unknown pathology are no targets."""
_MIN_SIDE_PX: Final = 1.0  # a box cut to less by the edge of the net frame is no target


@dataclass(frozen=True)
class Finding:
    """A box with a class in one image."""

    key: str
    box: Float[np.ndarray, "1 4"]
    """``xyxy``, dicom frame."""
    label: int
    hidden: bool
    """Known not to show in this image."""


@dataclass(frozen=True)
class Sample:
    """One pair, ready for a batch."""

    images: dict[str, Float[Tensor, "3 height width"]]
    boxes: dict[str, Float[Tensor, "finding 4"]]
    """``xyxy``, net frame; row ``i`` of every kind is the same finding."""
    labels: Int[Tensor, " finding"]

    def augmented(self, augmentation: Augmentation) -> "Sample":
        """Move images and boxes; findings that leave the frame are dropped."""
        images = {kind: augmentation.image(image, kind) for kind, image in self.images.items()}
        size = _size(self.images)
        boxes = {kind: augmentation.boxes(box, size) for kind, box in self.boxes.items()}
        return Sample(images, *_clipped(boxes, self.labels, size))


def prepare_sample(
    records: Mapping[str, Mapping[str, Any]], config: PreprocessConfig, only_visible: bool
) -> Sample:
    """Prepare the images of one pair and gather their findings.

    A finding that only one of the images names is a target in all of them, at the same place of
    the net frame: the images are registered by their breast boxes (PAPERS.md P1-A11).

    Args:
        records: Rows of the image table, by kind.
        config: Of the network's input.
        only_visible: Leave out findings known to show in none of these images.
    """
    prepared = {kind: prepare(record, config) for kind, record in records.items()}
    images = {kind: image for kind, (image, _) in prepared.items()}
    known: dict[str, dict[str, Finding]] = {}
    for kind, record in records.items():
        for finding in read_findings(record):
            known.setdefault(finding.key, {})[kind] = finding
    shown = [
        seen
        for seen in known.values()
        if not (only_visible and all(finding.hidden for finding in seen.values()))
    ]
    places = [_places(seen, {kind: prepared[kind][1] for kind in records}) for seen in shown]
    boxes = {kind: _tensor([place[kind] for place in places]) for kind in records}
    labels = torch.tensor([next(iter(seen.values())).label for seen in shown], dtype=torch.long)
    return Sample(images, *_clipped(boxes, labels, _size(images)))


def read_findings(record: Mapping[str, Any]) -> list[Finding]:
    """List an image's boxes that have a class."""
    return [
        Finding(
            key=annotation["finding_id"] or f"{record['image_id']}/{number}",
            box=np.array([annotation["coords"]], dtype=np.float64),
            label=LABEL_OF_PATHOLOGY[annotation["pathology"]],
            hidden=annotation["visible"] is False,
        )
        for number, annotation in enumerate(record["annotations"])
        if annotation["shape"] == "box" and annotation["pathology"] in LABEL_OF_PATHOLOGY
    ]


def _places(
    seen: Mapping[str, Finding], geometries: Mapping[str, Geometry]
) -> dict[str, Float[np.ndarray, " 4"]]:
    """Where one finding lies in each image's net frame."""
    known = {kind: geometries[kind].boxes_to_net(seen[kind].box)[0] for kind in seen}
    first = next(iter(known.values()))
    return {kind: known.get(kind, first) for kind in geometries}


def _clipped(
    boxes: Mapping[str, Float[Tensor, "finding 4"]],
    labels: Int[Tensor, " finding"],
    size: tuple[int, int],
) -> tuple[dict[str, Float[Tensor, "kept 4"]], Int[Tensor, " kept"]]:
    """Cut boxes at the frame's edge; drop a finding that any image then lacks."""
    height, width = size
    upper = torch.tensor([width, height, width, height], dtype=torch.float32)
    cut = {kind: torch.minimum(box.clamp(min=0), upper) for kind, box in boxes.items()}
    kept = torch.ones(len(labels), dtype=torch.bool)
    for box in cut.values():
        kept &= ((box[:, 2:] - box[:, :2]) >= _MIN_SIDE_PX).all(dim=1)
    return {kind: box[kept] for kind, box in cut.items()}, labels[kept]


def _tensor(boxes: list[Float[np.ndarray, " 4"]]) -> Float[Tensor, "box 4"]:
    return torch.from_numpy(np.array(boxes, dtype=np.float32).reshape(-1, 4))


def _size(images: Mapping[str, Tensor]) -> tuple[int, int]:
    height, width = next(iter(images.values())).shape[-2:]
    return height, width
