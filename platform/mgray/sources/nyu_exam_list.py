"""Exam lists as NYU's released networks read them: a pickle of plain data and PNG files."""

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError
from mgray.sources.layout import by_name, files_below, find_file
from mgray.sources.plain_pickle import MOST_BYTES, read_pickle
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import dumps, without_nones

VIEWS: Final = ("L-CC", "R-CC", "L-MLO", "R-MLO")
LICENCES: Final = "licence_tags"
"""Key of an exam, of our own: view to the licence tag of each image."""
SIDES: Final = {"L": "left", "R": "right"}
LAYOUT: Final = (
    "exam_list_before_cropping.pkl (or any exam_list*.pkl, also below data/)",
    "images/<stem>.png, 16 bits",
    "segmentation/<stem>.png for lists with *_seg (GMIC)",
)
BEFORE: Final = "exam_list_before_cropping.pkl"
LISTS: Final = tuple(
    f"{folder}{name}"
    for name in (BEFORE, "exam_list*.pkl", "*.pkl")
    for folder in ("", "data/", "*/")
)
MOST_VALUES, DEEPEST = 20_000_000, 32
"""Values of a list, one that is named twice counted twice, and how deep they may lie."""
MASKS: Final = "segmentation"
PATHOLOGIES: Final = ("malignant", "benign")
TEXTS: Final = {
    "files_not_here": "images of the list whose file is not here: a partial download",
    "files_not_named": "pictures that the list does not name: left out",
    "files_doubled": "pictures of a name that another one has: left out",
    "stems_doubled": "pictures that the list names a second time, in another view or exam: first "
    "one taken",
    "exams_as_patients": "exams, each taken as a patient of its own: the list names no patients, "
    "so two exams of one woman may be in two splits",
    "masks_not_here": "masks of the list whose file is not here: no box",
}
DESCRIPTION: Final = Description(
    title="NYU's exam lists (breast_cancer_classifier, GMIC)",
    kind="FFDM as PNG of 16 bits; a convention of files, no dataset",
    size="any",
    labels="benign and malignant of each breast, by pathology, where the list has them; neither is "
    "assumed normal",
    boxes="masks of benign and malignant findings where the list has them (GMIC), brought to boxes",
    pairs="none",
    obtain="made by NYU's tools; also written here: python -m jobs.export TABLE out=DIR",
    layout=LAYOUT,
    pitfalls=(
        "a pickle is a program: only opcodes of plain data are read, nothing is called",
        "horizontal_flip YES means that all images are stored mirrored: the pixels' side is then "
        "the other one, which is no fault",
        "unknown is a label of its own: pathology stays empty",
        "unknown is said of an exam, not of a side: in a list written here one breast whose label "
        "is a proxy, assumed or missing (CMMD's unlisted sides, EMBED's unnamed breasts) makes its "
        "whole exam unknown; what is proven of the other one is written beside it",
        "neither benign nor malignant is no biopsy: cancer 0, label_source assumed_normal, flagged",
        "window_location is in the frame before cropping: kept in extra_json",
        "pictures may lie there cropped too: a list before cropping takes those of images/",
        "stems without suffix, several to a view; a stem that is named twice is one image",
        "no patient is named: an exam is a patient, so two exams of one woman may be in two "
        "splits, which is said",
    ),
    unsettled=(
        "whether masks beside cropped pictures are cropped too: one of another size is brought to "
        "its image's, flagged mask_resized",
    ),
)


@dataclass(frozen=True)
class NyuExamListSource:
    """An exam list with its pictures."""

    name: str = "nyu_exam_list"
    licence_tag: str = "unknown"
    adapter_version: str = "4"

    def describe(self) -> Description:
        """Tell what the format is."""
        return DESCRIPTION

    def catalog(self, archive: Path) -> Catalog:
        """Read the list for the pictures that are here.

        Raises:
            NotFoundError: No list.
            ConfigError: It is no list of exams.
        """
        counts, labels, stems, exams = Counter[str](), dict[str, Any](), set[str](), set[int]()
        named, masks = _pictures(archive, counts)
        for number, exam, view, stem in _images(archive):
            counts["stems_doubled"] += stem in stems
            counts["files_not_here"] += stem not in named and stem not in stems
            if stem in named and stem not in stems:
                labels[named[stem]] = _labels(number, exam, view, stem, (masks, counts))
            stems.add(stem)
            exams.add(number)
        counts["files_not_named"] = len(named.keys() - stems)
        counts["exams_as_patients"] = len(exams) if len(exams) > 1 else 0
        rows = [CatalogRow(path, labels[path]) for path in sorted(labels)]
        return Catalog(rows, notices=count_notices(counts, TEXTS))

    def verify(self, archive: Path) -> list[Count]:
        """Count the list and its pictures.

        Raises:
            NotFoundError: No list.
            ConfigError: It is no list of exams.
        """
        listed = list(_images(archive))
        exams = len({number for number, *_ in listed})
        here = {_stem(path) for path in files_below(archive, suffixes=(".png",))}
        found = sum(stem in here for *_, stem in listed)
        images = Count("images of the list", len(listed), found, of_release=False)
        return [Count("exams", None, exams), images]


def _pictures(archive: Path, counts: Counter[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Find images and masks by their stems; for a list before cropping first in ``images``."""
    paths = list(files_below(archive, suffixes=(".png",)))
    order = _whole_first if find_file(archive, LISTS, LAYOUT).name == BEFORE else None
    named, doubled = by_name((path for path in paths if MASKS not in path), _stem, order)
    masks, more = by_name((path for path in paths if MASKS in path), _stem)
    counts["files_doubled"] = doubled + more
    return named, masks


def _whole_first(path: str) -> tuple[bool, str]:
    return "images" not in path.split("/"), path


def _images(archive: Path) -> Iterator[tuple[int, Mapping[str, Any], str, str]]:
    """Yield number of the exam, the exam, view and stem of each image."""
    path = find_file(archive, LISTS, LAYOUT)
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ConfigError(f"the pickle has {size} bytes, expected {MOST_BYTES} at most")
    exams = read_pickle(path.read_bytes())
    _check_plain(exams)
    if not isinstance(exams, list) or not all(isinstance(exam, dict) for exam in exams):
        raise ConfigError("the pickle holds no list of exams: is it an exam list of NYU's tools?")
    for number, exam in enumerate(exams):
        if exam.get("horizontal_flip") not in ("YES", "NO"):
            raise ConfigError(f"exam {number} of the list: horizontal_flip must be YES or NO")
        if not isinstance(exam.get("cancer_label") or {}, dict):
            raise ConfigError(f"exam {number} of the list: cancer_label must be a dict")
        for view in VIEWS:
            if not isinstance(exam.get(view) or [], list):
                raise ConfigError(f"exam {number} of the list: {view} must be a list of stems")
            for stem in exam.get(view) or ():
                yield number, exam, view, str(stem)


def _check_plain(exams: Any) -> None:
    """Refuse what JSON cannot hold, and lists that a few bytes name again and again."""
    rest, seen = [(exams, 0)], 0
    while rest:
        value, depth = rest.pop()
        seen += 1
        inner = list(value.values()) if isinstance(value, dict) else value
        if isinstance(inner, list | tuple):
            rest += [(one, depth + 1) for one in inner]
        plain = isinstance(inner, list | tuple | str | int | float | None)
        keys = all(isinstance(key, str) for key in value) if isinstance(value, dict) else True
        if seen + len(rest) > MOST_VALUES or depth > DEEPEST or not plain or not keys:
            raise ConfigError(
                "the pickle holds more than texts and numbers in lists and dicts, or too many: "
                "is it an exam list of NYU's tools?"
            )


def _stem(path: str) -> str:
    """Name a picture as lists do: below its folder, without a suffix."""
    return posixpath.splitext(path.rpartition("images/")[2].rpartition("segmentation/")[2])[0]


def _labels(
    number: int,
    exam: Mapping[str, Any],
    view: str,
    stem: str,
    seen: tuple[Mapping[str, str], Counter[str]],
) -> dict[str, Any]:
    side = view[0]
    told = exam.get("cancer_label") or {}
    flags = {word: told.get(f"{SIDES[side]}_{word}") for word in PATHOLOGIES}
    known = all(flag is not None for flag in flags.values()) and not told.get("unknown")
    pathology = next((word for word in PATHOLOGIES if known and flags[word]), None)
    extra = {name: value for name, value in exam.items() if name not in (*VIEWS, LICENCES)}
    return without_nones(
        {
            "patient_id": f"exam {number}",
            "exam_id": f"exam {number}",
            "laterality": side,
            "mirrored": True if exam["horizontal_flip"] == "YES" else None,
            "view": view[2:],
            "image_kind": "ffdm",
            "pathology": pathology,
            "cancer": int(pathology == "malignant") if known else None,
            "label_source": None if not known else "pathology" if pathology else "assumed_normal",
            "label_level": "breast",
            "qc_flags": ["assumed_normal"] if known and pathology is None else [],
            "licence_tag": _licence(exam, view, stem),
            "annotations": _annotations(exam, view, stem, seen),
            "extra_json": dumps(extra),
            "raster": {"format": "picture", "uid": f"NYU {stem}"},
        }
    )


def _licence(exam: Mapping[str, Any], view: str, stem: str) -> str | None:
    """Find the tag of one image in lists that were written here; NYU's have none."""
    told = exam.get(LICENCES)
    tags = told.get(view) if isinstance(told, dict) else None
    at = list(map(str, exam[view])).index(stem)
    return str(tags[at]) if isinstance(tags, list) and at < len(tags) else None


def _annotations(
    exam: Mapping[str, Any],
    view: str,
    stem: str,
    seen: tuple[Mapping[str, str], Counter[str]],
) -> list[dict[str, Any]]:
    """Find the masks of one image: lists of stems as long as that of the view's images."""
    (masks, counts), made = seen, []
    at = list(map(str, exam[view])).index(stem)
    for word in PATHOLOGIES:
        named = exam.get(f"{view}_{word}_seg") or ()
        if at >= len(named) or not named[at]:
            continue
        path = masks.get(_stem(str(named[at]) + ".png"))
        if path is None:
            counts["masks_not_here"] += 1
            continue
        finding = {"shape": "box", "coords": None, "mask_files": [path], "categories": []}
        made.append({**finding, "pathology": word, "source": "nyu mask"})
    return made
