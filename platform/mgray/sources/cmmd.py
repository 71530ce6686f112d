"""CMMD, the Chinese mammography database, as TCIA delivers it."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.sources.cells import Cells
from mgray.sources.csv_table import WORST_FIRST
from mgray.sources.layout import files_below, find_file
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import Table, dumps, extra_json, open_table, without_nones

LAYOUT: Final = (
    "CMMD_clinicaldata_revision.xlsx",
    "[manifest-*/]CMMD/<D1-xxxx>/<study>/<series>/1-1.dcm",
)
TABLES: Final = tuple(
    f"{folder}CMMD_clinicaldata_revision.{suffix}"
    for folder in ("", "*/")
    for suffix in ("xlsx", "csv")
)
COLUMNS: Final = ("ID1", "LeftRight", "Age", "abnormality", "classification")
MAPPED: Final = frozenset({"ID1", "LeftRight", "Age", "classification"})
PATHOLOGY: Final = {"benign": "benign", "malignant": "malignant"}
SIDES: Final = ("L", "R")
PATIENT: Final = re.compile(r"(?:^|/)(D[12]-\d{4})/")
AIR: Final = 0
"""Stored value of what is beyond the breast; the files name no padding."""
TEXTS: Final = {
    "files_not_named": "files of patients whom the table lacks: kept without labels, of the "
    "patient whose folder holds them",
    "rows_unsided": "rows of the table that name no side, which may be either: nothing is assumed "
    "of their patient's sides, and a side with a better label has none",
    "patients_not_here": "patients of the table without a file here: a partial download",
}
DESCRIPTION: Final = Description(
    title="CMMD, Chinese Mammography Database",
    kind="FFDM stored with 8 bits, DICOM",
    size="1,775 patients, 5,202 images",
    labels="pathology of each breast with a lesion, by biopsy; its kind; subtype for D2",
    boxes="none",
    pairs="none",
    obtain="cancerimagingarchive.net, collection CMMD; doi:10.7937/tcia.eqde-4b16",
    layout=LAYOUT,
    pitfalls=(
        "labels are of a patient's side, and the side is in the header alone: joined after reading",
        "1,458 images are of sides that the table lacks: assumed normal, said in label_source and "
        "flagged",
        "ViewPosition is empty: the view is read from its code",
        "8-bit pixels under a SIGMOID window of 128/256, two files of 16 bits: stored values are "
        "kept, each file's own window is used, never a 12-bit one",
        "a sigmoid shows air as grey: stored 0 is taken as padding, which is black",
        "a row of the table may name no side: then nothing is assumed of the patient's other side, "
        "and a side whose own rows are better than that row is unknown",
        "dates are made up, one study for each patient: a patient is an exam",
    ),
)


@dataclass(frozen=True)
class CmmdSource:
    """CMMD."""

    name: str = "cmmd"
    licence_tag: str = "CC-BY-4.0"
    adapter_version: str = "4"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Give every file the labels of both sides of its patient.

        Raises:
            NotFoundError: No table.
            ConfigError: A column or cell that cannot be understood.
        """
        rows_of: dict[str, list[Cells]] = defaultdict(list)
        for cells in _table(archive):
            if (patient := cells.text("ID1")) is not None:
                rows_of[patient].append(cells)
        known = {patient: _patient(patient, rows) for patient, rows in rows_of.items()}
        counts, met, rows = Counter[str](), set[str](), []
        for path in sorted(files_below(archive)):
            patient = next((part for part in path.split("/") if part in known), None)
            counts["files_not_named"] += patient is None
            met |= {patient} if patient else set()
            rows.append(CatalogRow(path, known[patient] if patient else _named(path)))
        unsided = (cells.text("LeftRight") is None for some in rows_of.values() for cells in some)
        counts["rows_unsided"] = sum(unsided)
        counts["patients_not_here"] = len(known.keys() - met)
        return Catalog(rows, notices=count_notices(counts, TEXTS), described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count table and files.

        Raises:
            NotFoundError: No table.
            ConfigError: A column or cell that cannot be understood.
        """
        rows = [cells for cells in _table(archive) if cells.text("ID1")]
        found = Counter(cells.word("classification", tuple(PATHOLOGY)) for cells in rows)
        return [
            Count("patients in the table", 1_775, len({cells.text("ID1") for cells in rows})),
            Count("rows of the table", 1_872, len(rows)),
            Count("benign", 556, found["benign"]),
            Count("malignant", 1_316, found["malignant"]),
            Count("images here", 5_202, sum(1 for _ in files_below(archive))),
        ]


def _table(archive: Path) -> Table:
    path = find_file(archive, TABLES, LAYOUT)
    return open_table(path, COLUMNS, release="CMMD's clinical data (revision)")


def _named(path: str) -> dict[str, Any]:
    """Tell the patient, who is an exam here, by the folder of a file."""
    found = PATIENT.search(path)
    return {"patient_id": found[1], "exam_id": found[1]} if found else {}


def _patient(patient: str, rows: list[Cells]) -> dict[str, Any]:
    by_side: dict[str, list[Cells]] = defaultdict(list)
    for cells in rows:
        by_side[cells.word("LeftRight", SIDES) or ""].append(cells)
    age = next((found for cells in rows if (found := cells.number("Age")) is not None), None)
    told = {"patient_id": patient, "exam_id": patient, "image_kind": "ffdm", "age": age}
    told |= {"pixel_padding_value": AIR}
    sides = {side: _side(by_side[side], by_side[""]) for side in SIDES}
    return without_nones({**told, "label_level": "breast", "by_side": sides})


def _side(rows: list[Cells], unsided: list[Cells]) -> dict[str, Any]:
    """Make the labels of one breast: of its worst row, or assumed where it has none.

    Where a row names no side, which may be this one, nothing is assumed, and nothing better told.
    """
    if not rows and not unsided:
        return {"cancer": 0, "label_source": "assumed_normal", "qc_flags": ["assumed_normal"]}
    pathology = _worst(rows)
    if _worst([*rows, *unsided]) != pathology:
        pathology = None
    return without_nones(
        {
            "pathology": pathology,
            "cancer": None if pathology is None else int(pathology == "malignant"),
            "label_source": pathology and "pathology",
            "extra_json": dumps([extra_json(cells, MAPPED) for cells in [*rows, *unsided]]),
        }
    )


def _worst(rows: list[Cells]) -> str | None:
    found = {cells.word("classification", PATHOLOGY) for cells in rows}
    return next((word for word in WORST_FIRST if word in found), None)
