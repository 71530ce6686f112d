"""Files of CBIS-DDSM in any layout, found by series or by the folder of their PatientID.

A path cell is ``<PatientID>/<StudyUID>/<SeriesUID>/00000k.dcm``. On disk lies one of

* NBIA: a folder of the PatientID, and below it one whose name ends with the series description;
  ``metadata.csv`` beside them knows the series UIDs,
* a folder of each series UID,
* Kaggle's mirror: ``jpeg/<SeriesUID>/*.jpg``, described by ``csv/dicom_info.csv``.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mgray.sources.layout import files_below
from mgray.sources.tables import open_table

PATIENT: Final = re.compile(
    r"(?:Mass|Calc)-(?:Training|Test)_P_\d+_(?:LEFT|RIGHT)_(?:CC|MLO)(_\d+)?"
)
UID: Final = re.compile(r"\d+(?:\.\d+){4,}")
NUMBERS: Final = re.compile(r"\d+")
FULL, CROP, MASK = "full mammogram images", "cropped images", "roi mask images"
SUFFIXES: Final = (".dcm", ".jpg", ".jpeg")


@dataclass(frozen=True)
class File:
    """One file.

    Args:
        path: Below the archive.
        what: Series description in lower case, if anything tells it.
    """

    path: str
    what: str | None


@dataclass
class Files:
    """All files of an archive, by series UID and by PatientID."""

    by_series: dict[str, list[File]] = field(default_factory=lambda: defaultdict(list))
    by_patient: dict[str, list[File]] = field(default_factory=lambda: defaultdict(list))

    def full_image(self, cell: str) -> str | None:
        """Find the full mammogram that a path cell means."""
        found = [file for file in self._of(cell) if file.what in (FULL, None)]
        return found[0].path if found else None

    def masks(self, crop: str, mask: str) -> list[str]:
        """Find the mask that two path cells mean: one file, or several of which one is it.

        The one that the cell of the mask names by number comes first; whether it is the mask is
        told by its pixels.
        """
        found = dict.fromkeys([*self._of(mask), *self._of(crop)])
        told = [file.path for file in found if file.what == MASK]
        if len(told) == 1:
            return told
        own = self._of(mask)
        both = [file for file in found if file.what != FULL]
        both.sort(key=lambda file: (file not in own, not _named(file.path, mask), file.path))
        return [file.path for file in both]

    def full_images(self) -> set[str]:
        """All files that are told to be full mammograms."""
        groups = (*self.by_series.values(), *self.by_patient.values())
        return {file.path for group in groups for file in group if file.what == FULL}

    def raster(self, path: str) -> dict[str, Any] | None:
        """Tell how to read a file that is no DICOM."""
        if path.lower().endswith(".dcm"):
            return None
        return {"format": "picture", "uid": posixpath.splitext(path)[0]}

    def _of(self, cell: str) -> list[File]:
        """List the files of the series that a path cell names, else of its PatientID."""
        parts = cell.strip().split("/")
        series = self.by_series.get(parts[-2], []) if len(parts) > 1 else []
        return series or self.by_patient.get(parts[0], [])


def find_archive_files(archive: Path) -> Files:
    """List an archive.

    Args:
        archive: In any layout; several may be mixed.
    """
    files, mirror, series_of = Files(), _mirror(archive), _nbia(archive)
    for path in sorted(files_below(archive, suffixes=SUFFIXES)):
        folders = path.split("/")[:-1]
        series = next((name for name in reversed(folders) if UID.fullmatch(name)), None)
        series = series_of.get("/".join(folders), series)
        file = File(path, mirror.get("/".join(path.split("/")[-2:])) or _described(folders))
        if series is not None:
            files.by_series[series].append(file)
        patient = next((name for name in folders if PATIENT.fullmatch(name)), None)
        if patient is not None:
            files.by_patient[patient].append(file)
    return files


def _described(folders: list[str]) -> str | None:
    """Read the series description from the name of its folder."""
    names = " ".join(folders).lower()
    return next((what for what in (FULL, CROP, MASK) if what in names), None)


def _mirror(archive: Path) -> Mapping[str, str]:
    """Read which picture of Kaggle's mirror is what: series and file name to description."""
    path = archive / "csv" / "dicom_info.csv"
    if not path.is_file():
        return {}
    table = open_table(path, ("image_path", "SeriesDescription"), release="Kaggle's JPEG mirror")
    rows = ((cells.text("image_path") or "", cells.text("SeriesDescription")) for cells in table)
    return {"/".join(where.split("/")[-2:]): what.lower() for where, what in rows if what}


def _nbia(archive: Path) -> Mapping[str, str]:
    """Read the series UID of each folder from the retriever's metadata.csv, if it is there."""
    found = {}
    for path in sorted([*archive.glob("metadata.csv"), *archive.glob("*/metadata.csv")]):
        table = open_table(path, ("Series UID", "File Location"), release="the NBIA Data Retriever")
        root = path.parent.relative_to(archive).as_posix()
        for cells in table:
            where = (cells.text("File Location") or "").replace("\\", "/")
            folder = posixpath.normpath(posixpath.join(root, where))
            found[folder] = cells.text("Series UID") or ""
    return {folder: uid for folder, uid in found.items() if uid}


def _named(path: str, cell: str) -> bool:
    """Tell whether a file has the number of a path cell; the table's are counted from 0."""
    disk, told = NUMBERS.findall(path.rpartition("/")[2]), NUMBERS.findall(cell.rpartition("/")[2])
    at = -1 if path.lower().endswith(".dcm") else 0  # 1-2.dcm, but 2-241.jpg
    return bool(disk and told) and int(disk[at]) == int(told[-1]) + 1
