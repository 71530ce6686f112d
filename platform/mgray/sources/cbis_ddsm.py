"""CBIS-DDSM, curated films of DDSM: from TCIA by NBIA's retriever, flat, or as JPEG mirror.

Images, cut-outs and masks are found by series UID or by the folder of their PatientID, never by
file numbers; see ``cbis_files``.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.errors import ConfigError
from mgray.sources.cbis_files import Files, find_archive_files
from mgray.sources.cells import Cells
from mgray.sources.csv_table import WORST_FIRST
from mgray.sources.layout import by_name, find_files, is_table
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import as_id, dumps, extra_json, open_table, read_id, without_nones

TABLES: Final = "{mass,calc}_case_description_{train,test}_set.csv"
LAYOUT: Final = (
    f"{TABLES} (also below csv/)",
    "CBIS-DDSM/<Mass|Calc>-<Training|Test>_P_<number>_<LEFT|RIGHT>_<CC|MLO>[_<abnormality>]/"
    "<study>/<series>/1-1.dcm (NBIA)",
    "or <SeriesInstanceUID>/1-1.dcm",
    "or csv/dicom_info.csv with jpeg/<SeriesInstanceUID>/*.jpg (Kaggle's mirror)",
)
PATHS: Final = ("image file path", "cropped image file path", "ROI mask file path")
COLUMNS: Final = (
    "patient_id",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "assessment",
    "pathology",
    *PATHS,
)
DESCRIPTORS: Final = ("mass shape", "mass margins", "calc type", "calc distribution")
SIDES: Final = {"left": "L", "right": "R"}
DENSITY: Final = {"1": "a", "2": "b", "3": "c", "4": "d"}
PATHOLOGY: Final = {
    "malignant": "malignant",
    "benign": "benign",
    "benign_without_callback": "benign",
}
UNPROVEN: Final = "benign_without_callback"
BIRADS_WORST_FIRST: Final = (5, 4, 0, 3, 2, 1)
SPLITS: Final = {"train": "train", "test": "test"}
TEXTS: Final = {
    "files_not_here": "views of the tables whose image is not here: a partial download",
    "masks_not_here": "findings whose mask is not here: no box",
    "dup_view": "images of views that are stored twice, as mass and as calcification: flagged",
    "split_leak": "images of patients who are train in one official table and test in another: all "
    "of such a patient is train",
    "no_biopsy": "images whose benign findings were not called back: no biopsy proves them",
    "rows_doubled": "rows that name an image again, or tell one of its findings again: first one "
    "taken",
    "tables_doubled": "tables of a name that another folder has too: the first one taken",
    "files_not_named": "full mammograms that no table names: left out",
}
DESCRIPTION: Final = Description(
    title="CBIS-DDSM, curated breast imaging subset of DDSM",
    kind="digitised film, DICOM (or JPEG in Kaggle's mirror)",
    size="1,566 patients, 10,239 images (3,103 full mammograms), 163.6 GB",
    labels="pathology, BI-RADS and density of each abnormality in each view",
    boxes="masks, brought to boxes",
    pairs="none",
    obtain="cancerimagingarchive.net, collection CBIS-DDSM, with the NBIA Data Retriever; "
    "doi:10.7937/K9/TCIA.2016.7O02S9CY",
    layout=LAYOUT,
    pitfalls=(
        "path cells end in a newline inside their quotes: stripped",
        "mask and cut-out stand under each other's name: told by SeriesDescription, else by size "
        "and grey values (crop_mask_swapped)",
        "masks of another size than their image: their box is scaled to it (mask_resized)",
        "file numbers differ between the tables (from 000000) and the disk (from 1-1): never used "
        "to find a file",
        "masks of 8 and 16 bits: set is above half of the maximum",
        "31 patients are train in one table and test in the other (mass, calcification): the whole "
        "patient is train, flagged split_leak; split_official stays as given",
        "71 views are stored twice, once for masses, once for calcifications (dup_view); "
        "33 mix malignant and benign: an image has the worst of all rows of its view",
        "BENIGN_WITHOUT_CALLBACK is benign without a biopsy: label_source registry, no_biopsy",
        "the tables may lie in several folders, e.g. calcifications below csv/: all are read",
        "cells of every finding are kept as they stand in extra_json, also where its mask is not "
        "here",
        "density 0 is unknown; assessment 0 is incomplete",
        "breast_density and breast density are one column",
        "no row is normal, and none is labelled so; labels and scan edges remain in the pixels "
        "unless an ingest is told blank_outside_breast=true",
    ),
)


@dataclass(frozen=True)
class CbisDdsmSource:
    """CBIS-DDSM in any of its three layouts."""

    name: str = "cbis_ddsm"
    licence_tag: str = "CC-BY-3.0"
    adapter_version: str = "4"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Join the tables with the full mammograms that are here.

        Raises:
            NotFoundError: No table.
            ConfigError: A column or cell that cannot be understood.
        """
        findings = list(_findings(archive))
        files, counts = find_archive_files(archive), Counter[str]()
        images: dict[str, list[Finding]] = defaultdict(list)
        views: dict[str, list[Finding]] = defaultdict(list)
        stored: dict[str, set[str]] = defaultdict(set)
        for finding in findings:
            views[finding.view_key].append(finding)
            path = files.full_image(finding.paths[0])
            if finding in images.get(path or "", ()):
                counts["rows_doubled"] += 1
            elif path is not None:
                images[path].append(finding)
                stored[finding.view_key].add(path)
        counts["files_not_here"] = len(views.keys() - stored.keys())
        leaked = _leaked(findings)
        rows = []
        for path in sorted(images):
            key = images[path][0].view_key
            labels = _labels(images[path], views[key], files, counts)
            flags = labels.setdefault("qc_flags", [])
            flags += ["dup_view"] * (len(stored[key]) > 1)
            if images[path][0].patient in leaked:
                labels["split"] = "train"
                flags.append("split_leak")
            labels |= {"raster": files.raster(path)} if files.raster(path) else {}
            counts.update(flags)
            rows.append(CatalogRow(path, without_nones(labels)))
        counts["tables_doubled"] = _tables(archive)[1]
        counts["files_not_named"] = len(files.full_images() - images.keys())
        return Catalog(rows, notices=count_notices(counts, TEXTS))

    def verify(self, archive: Path) -> list[Count]:
        """Count tables and files.

        Raises:
            NotFoundError: No table.
            ConfigError: A column or cell that cannot be understood.
        """
        findings = list(_findings(archive))
        files = find_archive_files(archive)
        counts = []
        for (kind, split), numbers in RELEASE.items():
            own = [one for one in findings if (one.kind, one.split) == (kind, split)]
            found = (
                len(own),
                len({one.view_key for one in own}),
                len({one.patient for one in own}),
            )
            counts += [
                Count(f"{kind}, {split}: {what}", expected, here)
                for what, expected, here in zip(
                    ("rows", "views", "patients"), numbers, found, strict=True
                )
            ]
        full = {path for one in findings if (path := files.full_image(one.paths[0]))}
        masks = sum(bool(files.masks(*one.paths[1:])) for one in findings)
        counts.append(Count("full mammograms here", 3_103, len(full)))
        return [*counts, Count("findings with a mask or cut-out here", 3_568, masks)]


RELEASE: Final = {
    ("mass", "train"): (1_318, 1_231, 691),
    ("mass", "test"): (378, 361, 201),
    ("calc", "train"): (1_546, 1_227, 602),
    ("calc", "test"): (326, 284, 151),
}


@dataclass(frozen=True)
class Finding:
    """One row: an abnormality in one view.

    Args:
        paths: Of image, cut-out and mask, as the table gives them.
    """

    kind: str
    split: str
    patient: str
    laterality: str | None
    view: str | None
    number: str | None
    categories: list[str]
    pathology: str | None
    proven: bool
    birads: int | None
    density: str | None
    paths: tuple[str, str, str]
    extra: dict[str, str]

    @property
    def view_key(self) -> str:
        """Equal for one film, however often it is stored."""
        return f"{self.patient} {self.laterality} {self.view}"


def _tables(archive: Path) -> tuple[list[str], int]:
    """Find all tables, whichever folders they are in; and how many have another one's name."""
    patterns = [f"{folder}*_case_description_*_set.csv" for folder in ("", "csv/", "*/")]
    find_files(archive, patterns, LAYOUT)  # says what was looked for if there is none
    tables = (path for one in patterns for path in archive.glob(one) if is_table(path))
    paths = {path.relative_to(archive).as_posix() for path in tables}
    found, doubled = by_name(paths, lambda path: path.rpartition("/")[2])
    return list(found.values()), doubled


def _findings(archive: Path) -> Iterator[Finding]:
    """Read all tables that are here."""
    for path in map(archive.joinpath, _tables(archive)[0]):
        kind, _, rest = path.name.partition("_case_description_")
        if (split := rest.removesuffix("_set.csv")) not in SPLITS:
            raise ConfigError(
                f"a table *_case_description_*_set.csv is of none of {', '.join(SPLITS)}: "
                "move it out of the archive"
            )
        table = open_table(path, COLUMNS, release="CBIS-DDSM's case descriptions")
        for cells in table:
            yield _finding(cells, kind, SPLITS[split])


def _finding(cells: Cells, kind: str, split: str) -> Finding:
    pathology = cells.word("pathology", tuple(PATHOLOGY))
    birads = cells.number("assessment")
    density = as_id(cells.text("breast_density") or cells.text("breast density"))
    words = [cells.text(name) or "" for name in DESCRIPTORS]
    parts = [part.lower() for word in words for part in word.split("-") if part not in ("", "N/A")]
    image, crop, mask = ((cells.text(name) or "") for name in PATHS)
    patient = cells.text("patient_id")
    if patient is None:
        raise cells.fault("patient_id", "P_ and five digits")
    return Finding(
        kind,
        split,
        patient,
        cells.word("left or right breast", SIDES),
        cells.word("image view", ("CC", "MLO")),
        read_id(cells, "abnormality id"),
        [{"calc": "calcification"}.get(kind, kind), *parts],
        PATHOLOGY.get(pathology or ""),
        pathology != UNPROVEN,
        None if birads is None else int(birads),
        DENSITY.get(density or ""),
        (image, crop, mask),
        extra_json(cells, PATHS),
    )


def _labels(
    own: Sequence[Finding], view: Sequence[Finding], files: Files, counts: Counter[str]
) -> dict[str, Any]:
    """Make the labels of one stored image.

    Args:
        own: Rows that name the image.
        view: Rows of the same film, also under its other copy.
        files: Where masks lie.
        counts: Of things met.
    """
    first = own[0]
    pathology = next((one for one in WORST_FIRST if one in {row.pathology for row in view}), None)
    proven = any(row.proven for row in view if row.pathology == pathology)
    birads = next((one for one in BIRADS_WORST_FIRST if one in {row.birads for row in view}), None)
    annotations = [made for row in own if (made := _annotation(row, files)) is not None]
    counts["masks_not_here"] += len(own) - len(annotations)
    return {
        "patient_id": first.patient,
        "exam_id": first.patient,
        "laterality": first.laterality,
        "view": first.view,
        "image_kind": "film",
        "birads": birads,
        "pathology": pathology,
        "cancer": None if pathology is None else int(pathology == "malignant"),
        "label_source": None if pathology is None else "pathology" if proven else "registry",
        "label_level": "image",
        "density": next((row.density for row in view if row.density), None),
        "split_official": first.split,
        "annotations": annotations,
        "qc_flags": [] if proven else ["no_biopsy"],
        "extra_json": dumps([row.extra for row in own if row.extra]),
    }


def _annotation(row: Finding, files: Files) -> Mapping[str, Any] | None:
    """Say of a finding what its row says; its mask, if it is here, stands for the box."""
    masks = files.masks(*row.paths[1:])
    if not masks:
        return None
    return {
        "finding_id": f"{row.view} {row.kind} {row.number}",
        "shape": "box",
        "coords": None,
        "mask_files": masks,
        "categories": row.categories,
        "pathology": row.pathology,
        "birads": row.birads,
        "source": "cbis_ddsm mask",
    }


def _leaked(findings: Sequence[Finding]) -> set[str]:
    """Patients who are in two official splits."""
    splits: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        splits[finding.patient].add(finding.split)
    return {patient for patient, found in splits.items() if len(found) > 1}
