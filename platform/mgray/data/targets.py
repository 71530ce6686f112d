"""One pair's images and the findings to learn from them.

A finding that only one image of a pair names lies at the same place of the breast in the other:
the images are registered by their breast boxes (PAPERS.md P1-A11). Where each image has findings of
a class under keys that the other lacks, they may be the same ones: the first image's are taken.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgray.data.augment import Augmentation
from mgray.data.config import PreprocessConfig
from mgray.data.transforms import GEOMETRY_COLUMNS, Geometry, prepare
from mgray.dicom.view import faces_left

LABEL_OF_PATHOLOGY: Final = {"benign": 0, "high_risk": 0, "malignant": 1}
"""Classes of the detector. Findings of other or unknown pathology are no targets."""
MALIGNANT: Final = 1
FINDING_COLUMNS: Final = ("image_id", "annotations", *GEOMETRY_COLUMNS)
"""What is read of an image whose pixels are not needed."""
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
    number: int
    """In the image's annotations."""


@dataclass(frozen=True)
class Sample:
    """One pair, ready for a batch."""

    images: dict[str, Float[Tensor, "3 height width"]]
    boxes: dict[str, Float[Tensor, "finding 4"]]
    """``xyxy``, net frame; row ``i`` of every kind is the same finding."""
    labels: Int[Tensor, " finding"]
    lost: bool
    """A malignant finding lies outside the net frame of an image: no row of ``boxes`` is left."""

    def augmented(self, augmentation: Augmentation) -> "Sample":
        """Move images and boxes; findings that leave the frame are dropped."""
        images = {kind: augmentation.image(image, kind) for kind, image in self.images.items()}
        size = _size(self.images)
        boxes = {kind: augmentation.boxes(box, size) for kind, box in self.boxes.items()}
        cut, labels, lost = _clipped(boxes, self.labels, size)
        return Sample(images, cut, labels, self.lost or lost)


def prepare_sample(
    records: Mapping[str, Mapping[str, Any]],
    config: PreprocessConfig,
    only_visible: bool,
    partner: Mapping[str, Any] | None = None,
) -> Sample:
    """Prepare the images of one pair and gather their findings.

    Args:
        records: Rows of the image table, by kind.
        config: Of the network's input.
        only_visible: Leave out findings known to show in none of these images.
        partner: ``FINDING_COLUMNS`` of an image that is not read but whose findings count.
    """
    prepared = {kind: prepare(record, config) for kind, record in records.items()}
    images = {kind: three_channels(plane) for kind, (plane, _) in prepared.items()}
    geometries = {kind: geometry for kind, (_, geometry) in prepared.items()}
    sources = {**records, "partner": partner} if partner is not None else records
    findings = _gather({kind: read_findings(record) for kind, record in sources.items()})
    shown = [seen for seen in findings if not (only_visible and _hidden(seen, records))]
    boxes = {
        kind: _tensor(
            [geometries[kind].boxes_to_net(_place(seen, kind, sources)) for seen in shown]
        )
        for kind in records
    }
    labels = torch.tensor([_label(seen) for seen in shown], dtype=torch.long)
    return Sample(images, *_clipped(boxes, labels, _size(images)))


def three_channels(plane: Float[np.ndarray, "height width"]) -> Float[Tensor, "3 height width"]:
    """Repeat grey to three channels: one memory, do not write into it."""
    return torch.from_numpy(plane).expand(3, -1, -1)


def shared_annotations(own: Mapping[str, Any], partner: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List an image's annotations, and its partner's findings that it lacks, as training sees them.

    Args:
        own: ``FINDING_COLUMNS`` of an image.
        partner: Of the other image of its pair.

    Returns:
        Annotations in the dicom frame of ``own``; whether one carried over shows there is unknown.
        One that lies outside the image is left out.
    """
    edge = np.array([own["columns"], own["rows"]] * 2, dtype=np.float64)
    annotations = list(own["annotations"])
    for seen in _gather({"own": read_findings(own), "partner": read_findings(partner)}):
        if "own" not in seen:
            finding = seen["partner"]
            box = np.clip(carry_over(finding.box, partner, own)[0], 0, edge)
            changes = {"finding_id": finding.key, "coords": box.tolist(), "visible": None}
            if (box[2:] - box[:2] >= _MIN_SIDE_PX).all():
                annotations.append({**partner["annotations"][finding.number], **changes})
    return annotations


def carry_over(
    boxes: Float[np.ndarray, "box 4"], origin: Mapping[str, Any], target: Mapping[str, Any]
) -> Float[np.ndarray, "box 4"]:
    """Tell where boxes of one image lie in the other of its pair: breast box on breast box.

    Args:
        boxes: ``xyxy``, dicom frame of ``origin``.
        origin: ``GEOMETRY_COLUMNS`` of an image.
        target: Of its partner, in whose dicom frame the result is.
    """
    there, here = _on_breast(origin), _on_breast(target)
    return here.boxes_to_dicom(there.boxes_to_net(boxes))


def _on_breast(record: Mapping[str, Any]) -> Geometry:
    """A frame of 1 by 1 that is the breast's box, the chest wall on the left."""
    width, height = float(record["columns"]), float(record["rows"])
    x0, y0, x1, y1 = record["breast_box"] or (0.0, 0.0, width, height)
    scale_x, scale_y = 1 / (x1 - x0), 1 / (y1 - y0)
    offset_x, offset_y = -x0 * scale_x, -y0 * scale_y
    if faces_left(record):
        scale_x, offset_x = -scale_x, 1 - offset_x
    return Geometry((scale_x, scale_y), (offset_x, offset_y), (1, 1))


def read_findings(record: Mapping[str, Any]) -> list[Finding]:
    """List an image's boxes that have a class.

    Several boxes of one finding, as marks of several readers are, are told apart by their order.
    """
    before = Counter[str]()
    return [
        Finding(
            key=_key(annotation["finding_id"], record["image_id"], number, before),
            box=np.array([annotation["coords"]], dtype=np.float64),
            label=LABEL_OF_PATHOLOGY[annotation["pathology"]],
            hidden=annotation["visible"] is False,
            number=number,
        )
        for number, annotation in enumerate(record["annotations"])
        if annotation["shape"] == "box" and annotation["pathology"] in LABEL_OF_PATHOLOGY
    ]


def _key(finding_id: str | None, image_id: str, number: int, before: Counter[str]) -> str:
    """Name a box by its finding, so that its partner's box is found; repeats by their number."""
    if not finding_id:
        return f"{image_id}/{number}"
    before[finding_id] += 1
    return finding_id if before[finding_id] == 1 else f"{finding_id}#{before[finding_id]}"


def _gather(found: Mapping[str, list[Finding]]) -> list[dict[str, Finding]]:
    """Join the findings of a breast over its images, the first image's first."""
    known: dict[str, dict[str, Finding]] = {}
    for kind, findings in found.items():
        for finding in findings:
            known.setdefault(finding.key, {})[kind] = finding
    first = next(iter(found))
    unmatched = {_label(seen) for seen in known.values() if len(found) > 1 and [*seen] == [first]}
    return [seen for seen in known.values() if first in seen or _label(seen) not in unmatched]


def _label(seen: Mapping[str, Finding]) -> int:
    return next(iter(seen.values())).label


def _hidden(seen: Mapping[str, Finding], kinds: Collection[str]) -> bool:
    """Whether a finding is known to show in none of these images."""
    known = [finding for kind, finding in seen.items() if kind in kinds]
    return bool(known) and all(finding.hidden for finding in known)


def _place(
    seen: Mapping[str, Finding], kind: str, sources: Mapping[str, Mapping[str, Any]]
) -> Float[np.ndarray, "1 4"]:
    """Where one finding lies in an image, dicom frame."""
    if kind in seen:
        return seen[kind].box
    first, finding = next(iter(seen.items()))
    return carry_over(finding.box, sources[first], sources[kind])


def _clipped(
    boxes: Mapping[str, Float[Tensor, "finding 4"]],
    labels: Int[Tensor, " finding"],
    size: tuple[int, int],
) -> tuple[dict[str, Float[Tensor, "kept 4"]], Int[Tensor, " kept"], bool]:
    """Cut boxes at the frame's edge; drop a finding that any image then lacks.

    Returns:
        Boxes and labels that are kept, and whether a malignant one was dropped.
    """
    if not len(labels):
        return dict(boxes), labels, False
    height, width = size
    upper = torch.tensor([width, height, width, height], dtype=torch.float32)
    cut = {kind: torch.minimum(box.clamp(min=0), upper) for kind, box in boxes.items()}
    kept = torch.ones(len(labels), dtype=torch.bool)
    for box in cut.values():
        kept &= ((box[:, 2:] - box[:, :2]) >= _MIN_SIDE_PX).all(dim=1)
    lost = bool((labels[~kept] == MALIGNANT).any())
    return {kind: box[kept] for kind, box in cut.items()}, labels[kept], lost


def _tensor(boxes: list[Float[np.ndarray, "1 4"]]) -> Float[Tensor, "box 4"]:
    return torch.from_numpy(np.array(boxes, dtype=np.float32).reshape(-1, 4))


def _size(images: Mapping[str, Tensor]) -> tuple[int, int]:
    height, width = next(iter(images.values())).shape[-2:]
    return height, width
