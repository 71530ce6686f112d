"""INbreast: a spreadsheet, DICOM files, and contours as OsiriX property lists."""

import plistlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.sources.cells import DENSITIES, Cells
from mgray.sources.layout import files_below, find_file
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import Table, as_id, dumps, extra_json, open_table, without_nones

LAYOUT: Final = (
    "INbreast.xls (or INbreast.csv)",
    "AllDICOMs/<File Name>_<hash>_MG_<L|R>_<CC|ML>_ANON.dcm",
    "AllXML/<File Name>.xml",
)
TABLES: Final = ("INbreast.xls", "*/INbreast.xls", "INbreast.csv", "*/INbreast.csv")
COLUMNS: Final = ("Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
MAPPED: Final = frozenset({"Laterality", "View", "File Name", "ACR"})
NAME: Final = re.compile(r"(\d+)_([0-9a-fA-F]+)_MG_([LR])_(\w+)_ANON\.dcm$", re.IGNORECASE)
POINT: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
BIRADS: Final = re.compile(r"([0-6])(?:\.0|[abc])?", re.IGNORECASE)
SUSPICIOUS: Final = 4
MOST_XML_BYTES: Final = 64 * 2**20
CATEGORIES: Final = {
    "mass": "mass",
    "calcification": "calcification",
    "calcifications": "calcification",
    "cluster": "calcification_cluster",
    "distortion": "architectural_distortion",
}
TEXTS: Final = {
    "files_not_here": "images of the table whose file is not here: a partial download",
    "files_not_named": "files that the table lacks: kept without labels",
    "xml_unreadable": "contour files that are no OsiriX property list: no findings",
    "rois_without_points": "regions without a point: dropped",
}
DESCRIPTION: Final = Description(
    title="INbreast",
    kind="FFDM of one Siemens machine, DICOM",
    size="115 cases, 410 images",
    labels="BI-RADS and density of each image; no pathology; cancer by the proxy BI-RADS >= 4",
    boxes="contours of masses, distortions and every calcification, brought to boxes",
    pairs="none",
    obtain="from its authors (Moreira 2012) by request, or a mirror",
    layout=LAYOUT,
    pitfalls=(
        "File Name and date are floats in the spreadsheet: ids stay text",
        "the last two rows are blank and totals: left out",
        "ML in the file's name means MLO: the table's view is taken",
        "the patient is known by the hash in the file's name alone: splits go by it",
        "Bi-Rads 4a, 4b, 4c are 4; the text is kept",
        "BI-RADS is no pathology: cancer is the usual proxy (>= 4), label_source birads_proxy",
        "a column's name ends in a blank, mark cells hold X, nothing or one blank",
        "regions of one or two points are single calcifications: points, no polygons",
        "some contours leave the image: clipped and flagged",
        "the density cell of one image is a run of blanks: null",
    ),
    unsettled=(
        "the names of regions are not fully known: known ones are translated, others kept in "
        "lower case",
        "whether contours are in pixel centres or edges: taken as edges",
    ),
)


@dataclass(frozen=True)
class InbreastSource:
    """INbreast."""

    name: str = "inbreast"
    licence_tag: str = "INbreast"
    adapter_version: str = "2"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Join the table, the contours and the files that are here.

        Raises:
            NotFoundError: No table.
            ConfigError: A column or cell that cannot be understood.
        """
        table, here, counts = _table(archive), _images(archive), Counter[str]()
        contours = _contours(archive)
        labels: dict[str, dict[str, Any]] = {}
        for cells in table:
            name = as_id(cells.text("File Name"))
            if name is None or not name.isdigit():
                continue  # the blank row and the totals
            path = here.get(name)
            if path is None:
                counts["files_not_here"] += 1
                continue
            labels[path] = _labels(cells, path, list(_annotations(contours.get(name), counts)))
        counts["files_not_named"] = len(here) - len(labels)
        rows = [CatalogRow(path, labels.get(path, {})) for path in sorted(here.values())]
        return Catalog(rows, notices=count_notices(counts, TEXTS), described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count table, files and contours.

        Raises:
            NotFoundError: No table.
            ConfigError: A column that cannot be found.
        """
        names = [as_id(cells.text("File Name")) for cells in _table(archive)]
        here = _images(archive)
        return [
            Count("images in the table", 410, sum(bool(name and name.isdigit()) for name in names)),
            Count("images here", 410, len(here)),
            Count("patients here", None, len({_patient(path) for path in here.values()})),
            Count("files of contours", None, len(_contours(archive))),
        ]


def _table(archive: Path) -> Table:
    path = find_file(archive, TABLES, LAYOUT)
    told = {"release": "INbreast", "delimiters": ";,", "encoding": "latin-1"}
    return open_table(path, COLUMNS, **told)


def _images(archive: Path) -> dict[str, str]:
    """Find the images: file name of the table to path."""
    found = {}
    for path in files_below(archive):
        named = NAME.search(path)
        if named:
            found[named[1]] = path
    return found


def _contours(archive: Path) -> dict[str, Path]:
    """Find the contours of findings; those of the pectoral muscle are other files."""
    paths = (archive / path for path in files_below(archive, suffixes=(".xml",)))
    return {path.stem: path for path in paths if path.stem.isdigit()}


def _patient(path: str) -> str | None:
    named = NAME.search(path)
    return named[2] if named else None


def _labels(cells: Cells, path: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    raw = cells.text("Bi-Rads")
    found = BIRADS.fullmatch(raw or "")
    if raw is not None and found is None:
        raise cells.fault("Bi-Rads", "0 to 6, with a, b or c")
    birads = int(found[1]) if found else None
    day = as_id(cells.text("Acquisition date"))
    return without_nones(
        {
            "patient_id": _patient(path),
            "exam_id": f"{_patient(path)} {day}",
            "laterality": cells.word("Laterality", ("L", "R")),
            "view": cells.text("View"),
            "birads": birads,
            "cancer": int(birads >= SUSPICIOUS) if birads else None,  # 0 is incomplete
            "label_source": "birads_proxy" if birads else None,
            "label_level": "image",
            "density": DENSITIES.get(as_id(cells.text("ACR")) or ""),
            "annotations": annotations,
            "extra_json": dumps(extra_json(cells, MAPPED)),
        }
    )


def _annotations(path: Path | None, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    """Read the regions of one image."""
    for region in _regions(path, counts):
        texts = region.get("Point_px") or []
        pairs = [POINT.findall(str(text)) for text in texts]
        points = [float(number) for pair in pairs for number in pair]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            counts["rois_without_points"] += 1
            continue
        name = str(region.get("Name") or "").strip().lower()
        yield {
            **shape_of(points),
            "categories": [CATEGORIES.get(name, name.replace(" ", "_"))] if name else [],
            "source": "inbreast",
        }


def shape_of(points: Sequence[float]) -> dict[str, Any]:
    """Make an annotation of a contour ``x, y, x, y ...``: of one or two points it is a point."""
    xs, ys = points[::2], points[1::2]
    x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
    if len(xs) > 2:
        return {"shape": "box", "coords": [x0, y0, x1, y1], "outline": list(points)}
    return {"shape": "point", "coords": [x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)]}


def _regions(path: Path | None, counts: Counter[str]) -> list[dict[str, Any]]:
    if path is None:
        return []
    try:
        if path.stat().st_size > MOST_XML_BYTES:
            raise ValueError
        with path.open("rb") as file:
            images = plistlib.load(file, fmt=plistlib.FMT_XML)["Images"]
        return [region for image in images for region in image.get("ROIs") or []]
    except Exception:  # whatever a damaged property list raises
        counts["xml_unreadable"] += 1
        return []
