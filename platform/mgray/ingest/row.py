"""One file's record and its labels become one row of the image table."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mgray.data.splits import assign_split
from mgray.dicom.record import FileRecord
from mgray.dicom.view import side_contradicted
from mgray.errors import Rejected
from mgray.ingest.allowed import allowed
from mgray.ingest.pseudonym import Pseudonyms
from mgray.schema import ANNOTATION_FIELDS, IMAGE
from mgray.sources.boxes import centre_inside, clip
from mgray.sources.frames import place
from mgray.sources.source import NAMING

COPIED: Final = (
    "split_official",
    "birads",
    "pathology",
    "cancer",
    "label_source",
    "label_level",
    "outcome_time_days",
    "exam_order",
    "density",
    "age",
    "extra_json",
)
PAIRED: Final = ("ffdm", "synthetic_2d")
CONTRADICTED: Final = ("laterality", "view", "image_kind")
NOTED: Final = frozenset({
    "frame_hypothesis_mirrored", "frame_against_rule", "frame_undecided", "orient_rotated",
    "mask_resized", "crop_mask_swapped", "mask_unreadable", "size_contradicted",
    "lesion_side_contradicted",
})  # fmt: skip
"""Flags of annotations that the manifest counts."""
SIDE_FLAG: Final = "laterality_tag_vs_pixels"
SUSPECT: Final = (SIDE_FLAG, "polarity_suspect", "values_over_bits_stored")
"""Flags of images that the manifest counts."""
OTHER_SIDE: Final = {"L": "R", "R": "L"}


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of one dataset.

    Args:
        ids: Pseudonyms of the dataset.
        licence_tag: Of rows whose labels name none.
        adapter_version: Of the source.
        split_seed: Divides patients who have no official split.
        described: The tables describe every image: one they lack is kept, but never paired, since
            what they do not say is unknown, not healthy.
    """

    ids: Pseudonyms
    licence_tag: str
    adapter_version: str
    split_seed: int
    described: bool = False

    def row(
        self, path: str, record: FileRecord, labels: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """Join what the file tells and what the table tells; the table wins.

        Args:
            path: Below the archive's root.
            record: As decoded.
            labels: Keys of ``sources.source.LABELS``, ids raw.

        Returns:
            A row of ``schema.IMAGE``, and how often each notice code applies.

        Raises:
            Rejected: ``missing_identity``, if side, view or exam stay unknown.
        """
        seen = allowed(record.columns)
        labels = _of_side(labels, seen)
        row = {name: seen.get(name) for name in IMAGE.names}
        row |= {name: labels.get(name) for name in COPIED}
        if row["pixel_padding_value"] is None:
            row["pixel_padding_value"] = labels.get("pixel_padding_value")
        row |= self._what_is_seen(seen, labels)
        row |= self._identity(path, record, labels)
        found, flags, notes = self._annotations(row, record, labels)
        breast = f"{row['exam_id']} {row['laterality']}"
        boxes, more, cuts = self._findings(breast, record, found)
        row["annotations"] = boxes
        told = {*(seen.get("qc_flags") or ()), *(labels.get("qc_flags") or ()), *flags, *more}
        told = _with_side(told, row, mirrored=bool(labels.get("mirrored")))
        row["qc_flags"] = sorted(told)
        row |= _pairing(row, labels.get("pair_group"))
        notes = {**notes, **cuts}
        holds = {
            "images_without_labels": self.described and not labels.keys() - NAMING,
            "patient_unknown": not (labels.get("patient_id") or record.identity.patient_id),
            **{flag: flag in told for flag in SUSPECT},
            **_contradictions({**seen, "image_kind": record.header_kind}, labels),
        }
        if holds["images_without_labels"]:
            row["pair_role"] = "none"
        return row, notes | {code: 1 for code, held in holds.items() if held}

    def _what_is_seen(self, seen: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
        told = {name: labels.get(name) or seen.get(name) for name in CONTRADICTED}
        for name in ("laterality", "view"):
            if told[name] is None:
                raise Rejected("missing_identity", f"{name} is neither in the table nor the header")
        if labels.get("laterality"):
            told["laterality_source"] = "table"
        if labels.get("image_kind"):
            told["kind_evidence"] = "table"
        return told

    def _identity(self, path: str, record: FileRecord, labels: Mapping[str, Any]) -> dict[str, Any]:
        exam = labels.get("exam_id") or record.identity.study_instance_uid
        if not exam:
            raise Rejected("missing_identity", "the exam is neither in the table nor the header")
        patient = labels.get("patient_id") or record.identity.patient_id or f"of exam {exam}"
        whose = labels.get("patient_id") if labels.get("exam_id") else None
        return {
            "image_id": self.ids.image(record.identity.sop_instance_uid),
            "patient_id": self.ids.patient(patient),
            "exam_id": self.ids.exam(exam, whose),  # a table's may be each woman's first
            "dataset": self.ids.dataset,
            "licence_tag": labels.get("licence_tag") or self.licence_tag,
            "adapter_version": self.adapter_version,
            "file_id": self.ids.file(path),
            "split": labels.get("split")
            or labels.get("split_official")
            or assign_split(patient, self.split_seed),
        }

    def _annotations(
        self, row: Mapping[str, Any], record: FileRecord, labels: Mapping[str, Any]
    ) -> tuple[list[Mapping[str, Any]], set[str], dict[str, int]]:
        """Put the boxes of masks in their place, and all boxes into the dicom frame.

        A mask that cannot be read is flagged and drops its finding; so is one before pixels are,
        and so is a box that was drawn on an image of another size. What a lesion of the other side
        says is no box's.
        """
        read = iter(record.columns.get("masks") or ())
        found: list[Mapping[str, Any]] = []
        flags: set[str] = set()
        size = [record.columns["rows"], record.columns["columns"]]
        for annotation in labels.get("annotations") or ():
            coords = annotation["coords"]
            if annotation.get("mask_files"):
                mask: Mapping[str, Any] = next(read, {"box": None, "flags": []})
                flags.update(mask["flags"])
                coords = mask["box"]
            if annotation.get("of_size") not in (None, size):
                flags.add("size_contradicted")
            elif coords is not None:
                sides = annotation.get("by_side") or {}
                if sides and row["laterality"] not in sides:
                    flags.add("lesion_side_contradicted")
                own = sides.get(row["laterality"], {})
                found.append({**annotation, **own, "coords": coords})
        columns = {**record.columns, **{name: row[name] for name in CONTRADICTED}}
        placed, framed = place(found, columns, labels.get("source_frame"))
        flags |= framed
        return placed, flags, dict.fromkeys(sorted(flags & NOTED), 1)

    def _findings(
        self, breast: str, record: FileRecord, annotations: Sequence[Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], set[str], dict[str, int]]:
        """Clip boxes to the image; drop those without a pixel of it, which flags the row.

        Ids are unique within a breast.
        """
        width, height = record.columns["columns"], record.columns["rows"]
        kept: list[dict[str, Any]] = []
        flags: set[str] = set()
        notes: Counter[str] = Counter()
        for number, annotation in enumerate(annotations):
            drawn = _drawn(annotation)
            coords = clip(drawn, width, height)
            if coords is None:
                fault = "box_empty" if _is_empty(drawn) else "box_outside_image"
                flags.add(fault)
                notes[fault] += 1
            else:
                clipped, inside = coords != drawn, centre_inside(coords, record.columns)
                faults = {"box_clipped": clipped, "box_outside_breast": not inside}
                found = [code for code, holds in faults.items() if holds]
                flags.update(found)
                notes.update(found)
                raw_id = annotation.get("finding_id")
                unnamed = f"{record.identity.sop_instance_uid} #{number}"
                finding_id = self.ids.finding(f"{breast} {raw_id}" if raw_id else unnamed)
                changes = {"finding_id": finding_id, "coords": coords, "clipped": clipped}
                told = {name: annotation.get(name) for name in ANNOTATION_FIELDS}
                kept.append({**told, **changes})
        return kept, flags, dict(notes)


def hash_row(row: Mapping[str, Any]) -> str:
    """Hash a row; ``pixel_blake3`` stands for its pixels."""
    rest = {name: value for name, value in row.items() if name != "pixels"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, default=str).encode()).hexdigest()


def _of_side(labels: Mapping[str, Any], seen: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add the labels of the side that the image shows, where the table knows sides alone."""
    sides = labels.get("by_side")
    return labels if not sides else {**labels, **sides.get(seen.get("laterality"), {})}


def _with_side(flags: set[str], row: Mapping[str, Any], *, mirrored: bool) -> set[str]:
    """Hold the row's side, which may be the table's, against the pixels; a turned image's says it.

    Args:
        flags: Of the row; the header's own side has been held against the pixels already.
        row: With its side.
        mirrored: The image is stored mirrored.
    """
    side = OTHER_SIDE.get(row["laterality"]) if mirrored else row["laterality"]
    against = side_contradicted({**row, "laterality": side}) and "orient_rotated" not in flags
    return flags - {SIDE_FLAG} | ({SIDE_FLAG} if against else set())


def _pairing(row: Mapping[str, Any], group: str | None) -> dict[str, Any]:
    """Images of one breast in one view share a key; views with modifiers pair among themselves."""
    words = [row["exam_id"], row["laterality"], row["view"], *(row["view_modifiers"] or ())]
    words += [group] if group else []
    pairable = row["image_kind"] in PAIRED and "spot_or_mag" not in row["qc_flags"]
    return {
        "pair_key": "-".join(words),
        "pair_role": row["image_kind"] if pairable else "none",
    }


def _contradictions(seen: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, bool]:
    return {
        f"{name}_contradicted": bool(labels.get(name) and seen.get(name))
        and labels[name] != seen[name]
        for name in CONTRADICTED
    }


def _drawn(annotation: Mapping[str, Any]) -> list[float]:
    """The box of an annotation; of a contour that is a line, one pixel wide."""
    x0, y0, x1, y1 = annotation["coords"]
    if annotation.get("outline"):
        x1, y1 = x1 + (x0 == x1), y1 + (y0 == y1)
    return [x0, y0, x1, y1]


def _is_empty(coords: Sequence[float]) -> bool:
    x0, y0, x1, y1 = coords
    return x0 >= x1 or y0 >= y1
