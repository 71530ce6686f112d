"""An image table as NYU's released networks read it: PNG files and an exam list.

References:
    github.com/nyukat/breast_cancer_classifier, github.com/nyukat/GMIC: READMEs.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import UInt16

from mgray.data.table import ImageTable
from mgray.dicom.grey import is_falling, is_padding, pixel_range
from mgray.dicom.pixels import read_stored
from mgray.dicom.view import faces_left
from mgray.errors import ConfigError, DataError
from mgray.licence import UNKNOWN, check_sharing, tags_of
from mgray.sources.nyu_exam_list import LICENCES, VIEWS
from mgray.sources.plain_pickle import write_pickle

LIST: Final = "exam_list_before_cropping.pkl"
UNPROVEN: Final = frozenset({None, "birads_proxy", "assumed_normal"})
"""Sources of a label that a list of NYU's, whose labels are pathology, cannot say."""
COLUMNS: Final = (
    "exam_id",
    "laterality",
    "view",
    "image_kind",
    "cancer",
    "pathology",
    "label_source",
    "licence_tag",
    "qc_flags",
)


def export_exam_list(table: Path, out: Path, allow: Collection[str] = ()) -> int:
    """Write the FFDM of all exams that have the four standard views, without spot views.

    Pixels keep their order but no window: stored values, rising with brightness, over 16 bits. Left
    breasts face right and right ones left, which the list calls ``horizontal_flip`` NO. It names
    the licence of each image.

    Args:
        table: Image table, stored at full size.
        out: New folder.
        allow: Licence tags whose owner permitted to hand on the data.

    Returns:
        Exams written.

    Raises:
        LicenceError: A licence forbids to hand on the data.
        NotFoundError: No table.
        ConfigError: ``out`` is there already.
        DataError: No exam has all four views, or the table holds smaller images only.
    """
    images = ImageTable.open(table)
    rows = images.index.select(list(COLUMNS)).to_pylist()
    check_sharing(tags_of(*(row["licence_tag"] for row in rows)), "data", allow)
    if out.exists():
        raise ConfigError(f"{str(out)!r} is there already: give a new folder")
    whole = _whole_exams(rows)
    if not whole:
        raise DataError("no exam of the table has FFDM of all four views: NYU's networks need them")
    (out / "images").mkdir(parents=True)
    listed = [_exam(images, rows, exam, out) for exam in whole]
    (out / LIST).write_bytes(write_pickle(listed))
    return len(listed)


def _whole_exams(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, list[int]]]:
    """List the exams that have FFDM of all four views: view to places; spot views are none."""
    exams: dict[str, dict[str, list[int]]] = defaultdict(lambda: {view: [] for view in VIEWS})
    for at, row in enumerate(rows):
        view, spot = f"{row['laterality']}-{row['view']}", "spot_or_mag" in row["qc_flags"]
        if row["image_kind"] == "ffdm" and view in VIEWS and not spot:
            exams[row["exam_id"]][view].append(at)
    return [exam for exam in exams.values() if all(exam.values())]


def _exam(
    images: ImageTable,
    rows: list[Mapping[str, Any]],
    exam: Mapping[str, list[int]],
    out: Path,
) -> dict[str, Any]:
    from PIL import Image

    told: dict[str, Any] = {"horizontal_flip": "NO", "cancer_label": _labels(rows, exam)}
    told[LICENCES] = {
        view: [rows[at]["licence_tag"] or UNKNOWN for at in numbers]
        for view, numbers in exam.items()
    }
    for view, numbers in exam.items():
        told[view] = []
        for record in images.records(numbers):
            stem = f"{record['image_id']}_{view.replace('-', '_')}"
            Image.fromarray(sixteen_bits(record)).save(out / "images" / f"{stem}.png")
            told[view].append(stem)
    return told


def sixteen_bits(record: Mapping[str, Any]) -> UInt16[np.ndarray, "height width"]:
    """Stretch the range of the stored bits over 16, bright rising, the breast facing inwards.

    Padding is 0.

    Args:
        record: A row of the image table with pixels.

    Raises:
        DataError: The table holds a smaller size only.
    """
    if record["pixel_reduce"]:
        raise DataError("the table holds smaller images only: ingest again without resolution=")
    low, high = pixel_range(record)
    stored = read_stored(record)
    share = np.clip((stored.astype(np.float64) - low) / (high - low), 0.0, 1.0)
    share = 1.0 - share if is_falling(record) else share
    share = np.where(is_padding(stored, record), 0.0, share)
    inwards = faces_left(record) == (record["laterality"] == "R")
    share = share if inwards else share[:, ::-1]
    return np.rint(share * 65535).astype(np.uint16)


def _labels(rows: list[Mapping[str, Any]], exam: Mapping[str, list[int]]) -> dict[str, int]:
    """Say of each side and of the exam whether it is benign, malignant or unknown.

    What is high-risk is benign here. A proxy or an assumption is unknown, and so is a side with an
    image that nothing is told of. One such side makes the exam unknown, for which alone the list
    has that word.
    """
    told: dict[str, int] = {}
    known = True
    for side, word in (("L", "left"), ("R", "right")):
        own = [rows[at] for view, numbers in exam.items() if view[0] == side for at in numbers]
        proven = [row for row in own if row["label_source"] not in UNPROVEN]
        known &= len(proven) == len(own) and all(row["cancer"] is not None for row in own)
        told[f"{word}_malignant"] = int(any(row["cancer"] == 1 for row in proven))
        benign = any(row["pathology"] in ("benign", "high_risk") for row in proven)
        told[f"{word}_benign"] = int(benign)
    for kind in ("malignant", "benign"):
        told[kind] = int(told[f"left_{kind}"] or told[f"right_{kind}"])
    return {**told, "unknown": int(not known)}
