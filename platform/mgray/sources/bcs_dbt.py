"""Duke's breast cancer screening tomosynthesis (BCS-DBT), as TCIA delivers it."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.errors import ConfigError
from mgray.sources.cells import Cells
from mgray.sources.layout import by_name, files_below, find_files
from mgray.sources.pairing import flag_repeated
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import dumps, extra_json, open_table, without_nones

LAYOUT: Final = (
    "BCS-DBT file-paths-<train|validation|test>*.csv, and labels-..., boxes-... (hyphen or blank "
    "after BCS-DBT)",
    "[manifest-*/]Breast-Cancer-Screening-DBT/<PatientID>/<study>/<series>/1-1.dcm",
)
KEY: Final = ("PatientID", "StudyUID", "View")
PATHS: Final = ("descriptive_path", "classic_path")
CLASSES: Final = ("Normal", "Actionable", "Benign", "Cancer")
BOX: Final = ("X", "Y", "Width", "Height")
BOX_COLUMNS: Final = (*KEY, "Slice", *BOX, "Class", "VolumeSlices")
SPLIT: Final = re.compile(r"(?:file-paths|labels|boxes)-(train|validation|test)")
SPLITS: Final = {"train": "train", "validation": "val", "test": "test"}
VIEW: Final = re.compile(r"([lr])(cc|mlo)\d*", re.IGNORECASE)
PATHOLOGY: Final = {"benign": "benign", "cancer": "malignant"}
TAIL: Final = 4
"""Parts of a path that the tables and the disk share: patient, study, series, file."""
TEXTS: Final = {
    "files_not_here": "volumes of the tables whose file is not here: a partial download",
    "labels_missing": "volumes that the tables of labels lack: no class",
    "class_unclear": "volumes whose class is none or several of normal, actionable, benign, "
    "cancer: no label",
    "boxes_unclassed": "boxes whose Class is empty: kept without pathology",
    "files_not_named": "files that the tables lack: left out, since headers say L for every side",
    "files_doubled": "files of a name that another one has: left out",
    "rows_doubled": "rows that name a volume again, or tell one of its boxes again: first one "
    "taken",
    "boxes_without_volume": "boxes on volumes that the tables of paths lack: dropped",
    "dup_view": "volumes of a side and view that the exam has several of: kept and flagged",
    "split_leak": "volumes of patients who are in several official splits, also where only one of "
    "them is here: all of such a patient is train",
}
DESCRIPTION: Final = Description(
    title="BCS-DBT, Breast Cancer Screening - Digital Breast Tomosynthesis (Duke)",
    kind="tomosynthesis volumes, multi-frame DICOM; ingest with volumes=mip",
    size="5,060 patients, 5,610 exams, 22,032 volumes, 1.63 TB",
    labels="normal, actionable, benign or cancer of each volume; the last two by biopsy",
    boxes="435 boxes, each on one slice of a volume",
    pairs="none",
    obtain="cancerimagingarchive.net, collection Breast-Cancer-Screening-DBT; "
    "doi:10.7937/E4WT-CD02",
    layout=LAYOUT,
    pitfalls=(
        "headers say L for every side: the table's is taken, volumes that it lacks are left out",
        "boxes hold for a volume that is turned by 180 degrees where its breast lies on the other "
        "side than the view's name: decided once for the volume, on its projection "
        "(orient_rotated), boxes are mapped back, "
        "and volumes without boxes are flagged alike",
        "X, Y, Width, Height from the top left; Slice counts from 0 and is kept as frame_index",
        "actionable is a class of its own, recalled without biopsy: cancer stays empty",
        "normal and actionable rest on no biopsy: label_source registry, pathology empty",
        "StudyUID of the tables is a pseudonym, not the header's: volumes are found by path",
        "validation is our val",
        "volumes become the maximum intensity projection with volumes=mip, else they are refused",
        "no pixel spacing in any header",
    ),
    unsettled=(
        "how AD (architectural distortion) is coded: kept in extra_json",
        "views with a number at the end count as repeats: flagged dup_view",
        "volumes that do not show their side: boxes stay, flagged frame_undecided",
    ),
)


@dataclass(frozen=True)
class BcsDbtSource:
    """BCS-DBT; any of its releases."""

    name: str = "bcs_dbt"
    licence_tag: str = "CC-BY-NC-4.0"
    adapter_version: str = "5"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Join paths, labels and boxes of all splits for the volumes that are here.

        Raises:
            NotFoundError: No table of paths or labels.
            ConfigError: A column or cell that cannot be understood, or tables of two releases.
        """
        counts = Counter[str]()
        classes = {_key(cells): cells for _, cells in _rows(archive, "labels", (*KEY, *CLASSES))}
        boxes: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for _, cells in _rows(archive, "boxes", BOX_COLUMNS, optional=True):
            box, of_volume = _annotation(cells), boxes[_key(cells)]
            if box in of_volume:
                counts["rows_doubled"] += 1
                continue
            of_volume.append(box)
            counts["boxes_unclassed"] += cells.text("Class") is None
        here, counts["files_doubled"] = by_name(files_below(archive), _tail)
        labels: dict[str, dict[str, Any]] = {}
        splits: dict[str, set[str]] = defaultdict(set)
        for split, cells in _rows(archive, "file-paths", (*KEY, *PATHS)):
            splits[cells.text("PatientID") or ""].add(split)
            path = _find(cells, here)
            if path in labels:
                counts["rows_doubled"] += 1
                continue
            found = boxes.pop(_key(cells), [])
            if path is None:
                counts["files_not_here"] += 1
            else:
                held = _classes(classes.get(_key(cells)), counts)
                labels[path] = _labels(cells, split, held, found)
        counts["boxes_without_volume"] = sum(map(len, boxes.values()))
        counts["files_not_named"] = len(here) - len(labels)
        counts["dup_view"] = flag_repeated(labels.values())
        counts["split_leak"] = _mend_leaks(labels, splits)
        rows = [CatalogRow(path, labels[path]) for path in here.values() if path in labels]
        return Catalog(rows, notices=count_notices(counts, TEXTS))

    def verify(self, archive: Path) -> list[Count]:
        """Count tables and files.

        Raises:
            NotFoundError: No table of paths.
            ConfigError: A column or cell that cannot be understood.
        """
        volumes, boxes = Counter[str](), Counter[str]()
        patients, exams = set[str](), set[str]()
        for split, cells in _rows(archive, "file-paths", (*KEY, *PATHS)):
            volumes[split] += 1
            patients.add(_key(cells)[0])
            exams.add(_key(cells)[1])
        boxes.update(split for split, _ in _rows(archive, "boxes", BOX_COLUMNS, optional=True))
        published = {"train": (19_148, 224), "val": (1_163, 75), "test": (1_721, 136)}
        return [
            Count("patients", 5_060, len(patients)),
            Count("exams", 5_610, len(exams)),
            *(Count(f"volumes, {name}", n, volumes[name]) for name, (n, _) in published.items()),
            *(Count(f"boxes, {name}", n, boxes[name]) for name, (_, n) in published.items()),
            Count("volume files here", 22_032, sum(1 for _ in files_below(archive))),
        ]


def _rows(
    archive: Path, what: str, columns: tuple[str, ...], optional: bool = False
) -> Iterator[tuple[str, Cells]]:
    """Yield split and row of one kind of table; of every split that is here."""
    patterns = [f"{folder}BCS-DBT[- ]{what}-*.csv" for folder in ("", "*/")]
    if optional and not any(any(archive.glob(pattern)) for pattern in patterns):
        return
    tables: dict[str, list[Path]] = defaultdict(list)
    for path in find_files(archive, patterns, LAYOUT):
        if named := SPLIT.search(path.name):
            tables[SPLITS[named[1]]].append(path)
    for split, paths in tables.items():
        if len(paths) > 1:
            raise ConfigError(
                f"{len(paths)} tables of {what} for the split {split}, expected one: releases do "
                "not mix, keep one and move the others out of the archive"
            )
        for cells in open_table(paths[0], columns, release="BCS-DBT"):
            yield split, cells


def _key(cells: Cells) -> tuple[str, ...]:
    return tuple((cells.text(name) or "").lower() for name in KEY)


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-TAIL:])


def _find(cells: Cells, here: dict[str, str]) -> str | None:
    told = (cells.text(name) for name in PATHS)
    return next((here[tail] for path in told if path and (tail := _tail(path)) in here), None)


def _classes(cells: Cells | None, counts: Counter[str]) -> list[str]:
    """Tell the class of a volume as the table has it; anything but one is counted."""
    held = [name for name in CLASSES if cells is not None and cells.flag(name)]
    counts["labels_missing"] += cells is None
    counts["class_unclear"] += cells is not None and len(held) != 1
    return held


def _labels(
    cells: Cells, split: str, held: list[str], boxes: list[dict[str, Any]]
) -> dict[str, Any]:
    view = VIEW.fullmatch(cells.text("View") or "")
    if view is None:
        raise cells.fault("View", "lcc, lmlo, rcc or rmlo")
    told = held[0] if len(held) == 1 else ""
    cancer = None if told in ("", "Actionable") else int(told == "Cancer")
    pathology = PATHOLOGY.get(told.lower())
    extra = extra_json(cells, {*KEY, *PATHS}) | {"classes": held}
    return without_nones(
        {
            "patient_id": cells.text("PatientID"),
            "exam_id": cells.text("StudyUID"),
            "laterality": view[1].upper(),
            "view": view[2].upper(),
            "image_kind": "dbt",
            "pathology": pathology,
            "cancer": cancer,
            "label_source": None if not told else "pathology" if pathology else "registry",
            "label_level": "image",
            "source_frame": "duke_upright",
            "split_official": split,
            "annotations": boxes,
            "extra_json": dumps({**extra, "boxes": [one.pop("extra") for one in boxes]}),
        }
    )


def _annotation(cells: Cells) -> dict[str, Any]:
    x, y, width, height = (cells.number(name) for name in BOX)
    at = cells.number("Slice")
    if x is None or y is None or width is None or height is None:
        raise cells.fault("X, Y, Width, Height", "four numbers")
    return {
        "shape": "box",
        "coords": [x, y, x + width, y + height],
        "source_frame": "duke_upright",
        "frame_index": None if at is None else int(at),
        "pathology": cells.word("Class", PATHOLOGY),
        "source": "bcs_dbt",
        "extra": extra_json(cells, {*KEY, *BOX, "Slice", "Class"}),
    }


def _mend_leaks(labels: Mapping[str, dict[str, Any]], splits: Mapping[str, Collection[str]]) -> int:
    """Put patients of several official splits into train as a whole; tell how many volumes.

    Args:
        labels: Of the volumes that are here.
        splits: Patient to all splits of the tables, so that a download that grows moves nobody.
    """
    in_several = {patient for patient, found in splits.items() if len(found) > 1}
    leaked = [one for one in labels.values() if one.get("patient_id") in in_several]
    for one in leaked:
        one |= {"split": "train", "qc_flags": [*one.get("qc_flags", []), "split_leak"]}
    return len(leaked)
