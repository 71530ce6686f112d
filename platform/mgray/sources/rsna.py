"""RSNA Screening Mammography Breast Cancer Detection, as Kaggle delivers it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.sources.cells import DENSITIES, Cells
from mgray.sources.layout import files_below, find_file, spelled
from mgray.sources.pairing import flag_repeated
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import Table, dumps, extra_json, open_table, read_id, without_nones

LAYOUT: Final = ("train.csv", "train_images/<patient_id>/<image_id>.dcm")
COLUMNS: Final = (
    "site_id",
    "patient_id",
    "image_id",
    "laterality",
    "view",
    "age",
    "cancer",
    "biopsy",
    "invasive",
    "BIRADS",
    "implant",
    "density",
    "machine_id",
    "difficult_negative_case",
)
MAPPED: Final = frozenset(
    {"patient_id", "image_id", "laterality", "view", "age", "cancer", "BIRADS", "density"}
)
IMAGES: Final = "train_images"
NAMED: Final = 3
"""Parts of the path of an image: train_images, patient, file."""
TEXTS: Final = {
    "files_not_here": "images of train.csv whose file is not here: a partial download",
    "files_not_named": "files that train.csv lacks: kept without labels, of the patient whose "
    "folder holds them, of the header's where none does",
    "rows_doubled": "rows of train.csv that name a file again: the last one taken",
    "dup_view": "images of a side and view that the patient has several of: kept and flagged",
}
DESCRIPTION: Final = Description(
    title="RSNA Screening Mammography Breast Cancer Detection (Kaggle 2022, train)",
    kind="FFDM, DICOM (JPEG 2000 and JPEG lossless), two sites, ten machines",
    size="11,913 patients, 54,706 images, about 271 GB",
    labels="cancer of the breast, repeated on its images; BI-RADS 0-2 and density for site 1",
    boxes="none",
    pairs="none",
    obtain="kaggle competitions download -c rsna-breast-cancer-detection",
    layout=LAYOUT,
    pitfalls=(
        "labels are of a breast and stand on each of its images: label_level breast",
        "BI-RADS 0 is a call for follow-up, 1 negative, 2 normal: kept as numbers, no order made",
        "biopsy, invasive, difficult_negative_case, machine_id are known after the fact or leak "
        "the site: only in extra_json, which no reader loads",
        "the header's side is unreliable: the table's is taken, a conflict is counted; "
        "that side is held against the pixels (laterality_tag_vs_pixels)",
        "a patient may have several images of a side and view: flagged dup_view",
        "no exam and no date: all images of a patient are one exam",
        "polarity is checked in the pixels, not believed: air on the bright side after all LUTs is "
        "flagged polarity_suspect, and the header's intensity sign is a column",
        "implant is of the patient and always 0 at site 2: a flag only where 1",
        "windows, VOI functions, and the sign of the pixels' intensity (+1 with MONOCHROME2 in "
        "8,221 images, all of machine 21) differ by machine: each file is shown by its own "
        "header, where MONOCHROME2 alone means that high is bright",
        "MONOCHROME1 (9,337 images), values beyond the stored bits, nearly empty images: flagged "
        "by every ingest (monochrome1, values_over_bits_stored, near_empty)",
    ),
    unsettled=(
        "what cancer rests on is not told in the tables: label_source and pathology stay empty",
    ),
)


@dataclass(frozen=True)
class RsnaSource:
    """The training set; Kaggle's test set has no labels."""

    name: str = "rsna"
    licence_tag: str = "RSNA"
    adapter_version: str = "3"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Read train.csv for the files that are here.

        Raises:
            NotFoundError: No train.csv.
            ConfigError: A column or cell that cannot be understood.
        """
        table, here = _table(archive), set(files_below(archive, [IMAGES]))
        labels: dict[str, dict[str, Any]] = {}
        counts = Counter[str]()
        for cells in table:
            path = spelled(_path(cells), here.__contains__)
            if path in here:
                counts["rows_doubled"] += path in labels
                labels[path] = _labels(cells)
            else:
                counts["files_not_here"] += 1
        counts["files_not_named"] = len(here) - len(labels)
        counts["dup_view"] = flag_repeated(labels.values())
        rows = [CatalogRow(path, labels.get(path) or _named(path)) for path in sorted(here)]
        return Catalog(rows, notices=count_notices(counts, TEXTS), described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count the table and the files.

        Raises:
            NotFoundError: No train.csv.
            ConfigError: A column that cannot be found.
        """
        patients, breasts, positive, images = set[str](), set[str](), 0, 0
        for cells in _table(archive):
            images += 1
            patient = cells.text("patient_id") or ""
            patients.add(patient)
            if cells.flag("cancer"):
                positive += 1
                breasts.add(f"{patient} {cells.text('laterality')}")
        return [
            Count("patients in train.csv", 11_913, len(patients)),
            Count("images in train.csv", 54_706, images),
            Count("images with cancer", 1_158, positive),
            Count("breasts with cancer", 492, len(breasts)),
            Count(f"files below {IMAGES}", 54_706, sum(1 for _ in files_below(archive, [IMAGES]))),
        ]


def _table(archive: Path) -> Table:
    path = find_file(archive, ["train.csv"], LAYOUT)
    return open_table(path, COLUMNS, release="the Kaggle train.csv")


def _path(cells: Cells) -> str:
    patient, image = read_id(cells, "patient_id"), read_id(cells, "image_id")
    return f"{IMAGES}/{patient}/{image}.dcm"


def _named(path: str) -> dict[str, Any]:
    """Tell the patient, who is an exam here, by the folder of a file."""
    parts = path.split("/")
    return {"patient_id": parts[1], "exam_id": parts[1]} if len(parts) == NAMED else {}


def _labels(cells: Cells) -> dict[str, Any]:
    patient, cancer = read_id(cells, "patient_id"), cells.flag("cancer")
    birads = cells.number("BIRADS")
    return without_nones(
        {
            "patient_id": patient,
            "exam_id": patient,
            "laterality": cells.word("laterality", ("L", "R")),
            "view": cells.text("view"),
            "age": cells.number("age"),
            "birads": None if birads is None else int(birads),
            "cancer": None if cancer is None else int(cancer),
            "label_level": "breast",
            "density": cells.word("density", DENSITIES),
            "qc_flags": ["implant"] if cells.flag("implant") else [],
            "extra_json": dumps(extra_json(cells, MAPPED)),
        }
    )
