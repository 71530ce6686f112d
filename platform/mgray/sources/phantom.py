"""The archive that ``jobs.phantom`` writes: ``images/*.dcm``, ``exams.csv``, ``annotations.csv``.

Every file under ``images/`` counts; labels go by SOP instance UID. An image that the tables do not
describe is no healthy one: it is kept, but never paired.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.errors import NotFoundError
from mgray.schema import IMAGE_KINDS
from mgray.sources.cells import DENSITIES, Cells, read_table
from mgray.sources.layout import files_below
from mgray.sources.source import Catalog, CatalogRow, Count, Description

EXAM_COLUMNS: Final = (
    "sop_instance_uid",
    "patient_id",
    "exam_id",
    "laterality",
    "view",
    "image_kind",
    "density",
    "cancer",
)
FINDING_COLUMNS: Final = (
    "sop_instance_uid",
    "finding_id",
    "type",
    "malignant",
    "x0",
    "y0",
    "x1",
    "y1",
    "visible",
)

DESCRIPTION: Final = Description(
    title="Virtual breasts",
    kind="simulated FFDM, tomosynthesis and synthetic 2D; DICOM",
    size="as many exams as asked for",
    labels="cancer and pathology by simulation, density; level image",
    boxes="boxes of every finding on every image, and whether it shows there",
    pairs="yes, of every breast and view",
    obtain="python -m jobs.phantom out=DIR",
    layout=("images/*.dcm", "exams.csv", "annotations.csv"),
)


@dataclass(frozen=True)
class PhantomSource:
    """Virtual breasts with known truth."""

    name: str = "phantom"
    licence_tag: str = "Apache-2.0"
    adapter_version: str = "2"

    def catalog(self, archive: Path) -> Catalog:
        """List ``images/`` and read both tables.

        Raises:
            NotFoundError: No such archive, or one of its tables is missing.
            ConfigError: A column is missing, or a cell cannot be understood.
            DataError: A folder that cannot be listed.
        """
        images = archive / "images"
        if not images.is_dir():
            raise NotFoundError(
                f"archive {str(archive)!r} holds no folder images: "
                "make one with python -m jobs.phantom out=DIR"
            )
        for name in ("annotations.csv", "exams.csv"):
            if not (archive / name).is_file():
                raise NotFoundError(
                    f"archive {str(archive)!r} holds no {name}, so it is not finished: "
                    "run the same python -m jobs.phantom again"
                )
        findings = _findings(archive / "annotations.csv")
        labels = {uid: {"annotations": boxes} for uid, boxes in findings.items()}
        _, exams = read_table(archive / "exams.csv", EXAM_COLUMNS)
        for cells in exams:
            uid = cells.text("sop_instance_uid") or ""
            labels[uid] = _image_labels(cells, findings.get(uid, []))
        paths = sorted(files_below(archive, ("images",), ("",)))
        return Catalog([CatalogRow(path) for path in paths], labels, described=True)

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def verify(self, archive: Path) -> list[Count]:
        """Count images, described and lying there."""
        catalog = self.catalog(archive)
        described = sum("patient_id" in labels for labels in catalog.by_uid.values())
        return [Count("images", described, len(catalog.rows))]


def _findings(path: Path) -> dict[str, list[dict[str, Any]]]:
    by_uid: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for cells in read_table(path, FINDING_COLUMNS)[1]:
        by_uid[cells.text("sop_instance_uid") or ""].append(
            {
                "finding_id": cells.text("finding_id"),
                "shape": "box",
                "coords": cells.box(),
                "categories": [cells.text("type")],
                "pathology": "malignant" if cells.flag("malignant") else "benign",
                "visible": cells.flag("visible"),
                "source": "phantom",
            }
        )
    return {uid: [one for one in found if one["coords"]] for uid, found in by_uid.items()}


def _image_labels(cells: Cells, findings: list[dict[str, Any]]) -> dict[str, Any]:
    cancer = cells.flag("cancer")
    kinds = {finding["pathology"] for finding in findings}
    return {
        "patient_id": cells.text("patient_id"),
        "exam_id": cells.text("exam_id"),
        "laterality": cells.word("laterality", ("L", "R")),
        "view": cells.text("view"),
        "image_kind": cells.word("image_kind", IMAGE_KINDS),
        "density": cells.word("density", DENSITIES),
        "cancer": None if cancer is None else int(cancer),
        "pathology": next((word for word in ("malignant", "benign") if word in kinds), "negative"),
        "label_source": "simulation",
        "label_level": "image",
        "annotations": findings,
    }
