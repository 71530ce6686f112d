"""VinDr-Mammo, as PhysioNet delivers it."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.sources.cells import Cells
from mgray.sources.layout import by_name, files_below, find_file
from mgray.sources.pairing import flag_repeated
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import Table, dumps, extra_json, open_table, without_nones

LAYOUT: Final = (
    "breast-level_annotations.csv",
    "finding_annotations.csv",
    "images/<study_id>/<image_id>.dicom",
)
BREAST_COLUMNS: Final = (
    "study_id",
    "series_id",
    "image_id",
    "laterality",
    "view_position",
    "height",
    "width",
    "breast_birads",
    "breast_density",
    "split",
)
BOX: Final = ("xmin", "ymin", "xmax", "ymax")
FINDING_COLUMNS: Final = ("image_id", "finding_categories", "finding_birads", *BOX)
MAPPED: Final = frozenset(BREAST_COLUMNS) - {"series_id", "height", "width"}
SUFFIXES: Final = (".dicom", ".dcm")
NAMED: Final = 3
"""Parts of the path of an image: images, exam, file."""
BIRADS: Final = {f"bi-rads {number}": str(number) for number in range(7)}
DENSITY: Final = {f"density {letter}": letter for letter in "abcd"}
SPLITS: Final = {"training": "train", "test": "test"}
QUOTED: Final = re.compile(r"['\"]([^'\"]+)['\"]")
TEXTS: Final = {
    "files_not_here": "images of the tables whose file is not here: a partial download",
    "files_not_named": "files that the breast-level table lacks: kept without labels, of the exam "
    "whose folder holds them, and in its split; of the header's where none does",
    "files_doubled": "files of a name that another one has: left out",
    "rows_doubled": "rows that name an image again, or tell one of its findings again: first one "
    "taken",
    "dup_view": "images of a side and view that the exam has several of: kept and flagged",
    "suspicious_without_box": "images of BI-RADS 4 and 5 breasts without a box",
    "boxes_without_birads": "boxes without a BI-RADS (lymph nodes, skin, nipple)",
    "findings_without_image": "findings on images that the breast-level table lacks: dropped",
}
DESCRIPTION: Final = Description(
    title="VinDr-Mammo 1.0",
    kind="FFDM, DICOM",
    size="5,000 exams of four images, 20,000 images",
    labels="BI-RADS 1-5 and density of the breast, BI-RADS 3-5 of findings; no pathology",
    boxes="2,254 boxes on images, with categories",
    pairs="none",
    obtain="physionet.org/content/vindr-mammo, after signing its data use agreement",
    layout=LAYOUT,
    pitfalls=(
        "no pathology at all: cancer and pathology stay empty, BI-RADS is never turned into them",
        "21 boxes exceed their image and 22 begin before it: clipped and flagged; of an image of "
        "another size than the table tells (a resized mirror) dropped, flagged size_contradicted",
        "125 boxes have no BI-RADS: null, not 0",
        "36 images of BI-RADS 4 and 5 breasts have no box: counted, not negative",
        "categories are a Python list in a cell",
        "files end in .dicom; patient orientation is removed: the side the breast faces is found "
        "in the pixels",
        "one exam has L CC twice and no L MLO: flagged dup_view",
        "no patient id: an exam is a patient",
        "FOR PROCESSING files are marked (for_processing) and are no FFDM for presentation",
    ),
)


@dataclass(frozen=True)
class VindrMammoSource:
    """VinDr-Mammo."""

    name: str = "vindr_mammo"
    licence_tag: str = "VinDr-Mammo"
    adapter_version: str = "5"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Join both tables for the files that are here.

        Raises:
            NotFoundError: A table is missing.
            ConfigError: A column or cell that cannot be understood.
        """
        breasts, table = _tables(archive)
        counts: Counter[str] = Counter()
        findings = _findings(table, counts)
        here, counts["files_doubled"] = by_name(files_below(archive, ["images"], SUFFIXES), _stem)
        labels: dict[str, dict[str, Any]] = {}
        splits: dict[str, str | None] = {}
        for cells in breasts:
            image, study = cells.text("image_id") or "", cells.text("study_id") or ""
            splits[study] = cells.word("split", SPLITS) or splits.get(study)
            path = here.get(f"{study}/{image}")
            if path in labels:
                counts["rows_doubled"] += 1
                continue
            found = findings.pop(image, [])
            if path is None:
                counts["files_not_here"] += 1
            else:
                labels[path] = _labels(cells, found)
                suspicious = labels[path].get("birads") in (4, 5)
                counts["suspicious_without_box"] += suspicious and not found
        counts["findings_without_image"] = sum(map(len, findings.values()))
        counts["dup_view"] = flag_repeated(labels.values())
        counts["files_not_named"] = len(here) - len(labels)
        rows = [
            CatalogRow(path, labels.get(path) or _named(path, splits)) for path in here.values()
        ]
        return Catalog(rows, notices=count_notices(counts, TEXTS), described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count both tables and the files.

        Raises:
            NotFoundError: A table is missing.
            ConfigError: A column or cell that cannot be understood.
        """
        breasts, table = _tables(archive)
        exams: set[str] = set()
        splits: Counter[str] = Counter()
        for cells in breasts:
            exams.add(cells.text("study_id") or "")
            splits[cells.text("split") or ""] += 1
        rows = list(table)
        boxes = sum(cells.text("xmin") is not None for cells in rows)
        files = sum(1 for _ in files_below(archive, ["images"], SUFFIXES))
        return [
            Count("exams", 5_000, len(exams)),
            Count("images, training", 16_000, splits["training"]),
            Count("images, test", 4_000, splits["test"]),
            Count("boxes", 2_254, boxes),
            Count("rows without a box", 18_232, len(rows) - boxes),
            Count("files below images", 20_000, files),
        ]


def _tables(archive: Path) -> tuple[Table, Table]:
    breasts = find_file(archive, ["breast-level_annotations.csv"], LAYOUT)
    findings = find_file(archive, ["finding_annotations.csv"], LAYOUT)
    return (
        open_table(breasts, BREAST_COLUMNS, release="VinDr-Mammo 1.0"),
        open_table(findings, FINDING_COLUMNS, release="VinDr-Mammo 1.0"),
    )


def _stem(path: str) -> str:
    """Name a file by exam and image."""
    return path.removeprefix("images/").rpartition(".")[0]


def _named(path: str, splits: Mapping[str, str | None]) -> dict[str, Any]:
    """Tell the exam, which is a patient here, by the folder of a file, and its split."""
    parts = path.split("/")
    if len(parts) != NAMED:
        return {}
    study = parts[1]
    return without_nones({"patient_id": study, "exam_id": study, "split": splits.get(study)})


def _labels(cells: Cells, findings: list[dict[str, Any]]) -> dict[str, Any]:
    birads, study = cells.word("breast_birads", BIRADS), cells.text("study_id")
    return without_nones(
        {
            "patient_id": study,
            "exam_id": study,
            "laterality": cells.word("laterality", ("L", "R")),
            "view": cells.text("view_position"),
            "birads": None if birads is None else int(birads),
            "density": cells.word("breast_density", DENSITY),
            "label_level": "breast",
            "split_official": cells.word("split", SPLITS),
            "annotations": findings,
            "extra_json": dumps(extra_json(cells, MAPPED)),
        }
    )


def _findings(table: Table, counts: Counter[str]) -> dict[str, list[dict[str, Any]]]:
    by_image: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for cells in table:
        coords = [cells.number(name) for name in BOX]
        if None in coords:
            continue
        size = [cells.number(name) for name in ("height", "width")]
        birads = cells.word("finding_birads", BIRADS)
        names = QUOTED.findall(cells.text("finding_categories") or "")
        found = {
            "shape": "box",
            "coords": coords,
            "of_size": None if None in size else size,
            "categories": [name.lower().replace(" ", "_") for name in names],
            "birads": None if birads is None else int(birads),
            "source": "vindr_mammo",
        }
        of_image = by_image[cells.text("image_id") or ""]
        if found in of_image:
            counts["rows_doubled"] += 1
            continue
        of_image.append(found)
        counts["boxes_without_birads"] += birads is None
    return by_image
