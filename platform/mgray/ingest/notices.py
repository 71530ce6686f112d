"""What a person is told of a table: a text for every code that an ingest itself counts."""

from collections.abc import Sequence
from typing import Final

from mgray.data.alignment import MISALIGNED
from mgray.sources.source import Notice

SHOWN: Final = 20
MOST_OUTSIDE: Final = 0.01
"""Share of boxes outside the breast that an archive may have before it is warned of."""
TEXTS: Final = {
    "missing_partner": "FFDM or SM without the other of its pair: kept and flagged",
    "ambiguous_pair": "several FFDM or several SM of one breast and view: kept and flagged",
    "box_clipped": "boxes cut at the image's edge",
    "box_outside_image": "boxes wholly outside their image: dropped",
    "box_empty": "boxes without area, as of swapped corners (x0 < x1, y0 < y1 expected): dropped",
    "box_outside_breast": "boxes whose centre is outside the breast: kept and flagged",
    "frame_suspect": "boxes whose centre is outside the breast, more than "
    f"{MOST_OUTSIDE:.0%} of all: were they drawn in another frame? look at a gallery",
    "laterality_contradicted": "images whose table and header name different sides: table wins",
    "laterality_tag_vs_pixels": "images whose breast faces another way than their orientation, or "
    "else their side, says: kept and flagged",
    "polarity_suspect": "images whose air is on the bright side after all LUTs, as if "
    "shown as negatives: kept and flagged",
    "values_over_bits_stored": "images with values beyond their BitsStored: kept as they are and "
    "flagged",
    "view_contradicted": "images whose table and header name different views: table wins",
    "image_kind_contradicted": "images whose table and header name different kinds: table wins",
    "misaligned_pair": "pairs whose breasts' masks overlap by a Dice below "
    f"{MISALIGNED}: kept; see pairs.parquet, stage II learns little of them",
    "patient_unknown": "images without a patient id: each exam counts as a patient of its own, so "
    "that two exams of one person may be in two splits",
    "images_without_labels": "images that the tables do not describe: kept, but never paired",
    "labels_without_image": "images that the tables describe and the image table lacks",
    "annotations_without_image": "annotated findings on images that the image table lacks",
    "frame_hypothesis_mirrored": "images whose boxes were given in a mirrored frame: mapped back",
    "frame_against_rule": "images whose boxes lie in the breast only against the published rule of "
    "their frame: the pixels were believed",
    "frame_undecided": "images whose pixels do not tell the frame of their boxes, nor do the "
    "archive's other images clearly: the published rule was followed",
    "frame_by_vote": "images whose pixels do not tell the frame of their boxes: read as nearly "
    "all that do, see frames",
    "orient_rotated": "images turned by 180 degrees against the frame of their boxes: mapped back",
    "mask_resized": "images with a finding's mask of another size: brought to the image's",
    "crop_mask_swapped": "images with mask and cut-out under each other's name: told by pixels",
    "mask_unreadable": "images with a mask that is missing, damaged or empty: finding dropped",
    "lesion_side_contradicted": "images with boxes that the table links to lesions of the other "
    "breast alone: without their pathology",
    "size_contradicted": "images of another size than the one their boxes were drawn on: boxes "
    "dropped",
    "rejected": "files refused: see quarantine.parquet",
}


def notice(code: str, count: int, ids: Sequence[str]) -> Notice:
    """Make a notice of a code of ``TEXTS``; it names the first few."""
    return Notice(code, count, TEXTS[code], tuple(ids[:SHOWN]))
