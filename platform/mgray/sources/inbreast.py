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
from mgray.sources.layout import by_name, files_below, find_file
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import Table, as_id, dumps, extra_json, open_table, read_id, without_nones

LAYOUT: Final = (
    "INbreast.xls (or INbreast.csv)",
    "AllDICOMs/<File Name>_<hash>_MG_<L|R>_<CC|ML>_ANON.dcm",
    "AllXML/<File Name>.xml",
)
TABLES: Final = ("INbreast.xls", "*/INbreast.xls", "INbreast.csv", "*/INbreast.csv")
COLUMNS: Final = ("Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
MAPPED: Final = frozenset({"Laterality", "View", "File Name", "ACR"})
NAME: Final = re.compile(r"(\d+)_([0-9a-fA-F]+)_MG_([LR])_(\w+)_ANON\.dcm$", re.IGNORECASE)
MUSCLE: Final = re.compile(r"pectoral[^/]*/|_muscle", re.IGNORECASE)
POINT: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
BIRADS: Final = re.compile(r"([0-6])(?:\.0|[abc])?", re.IGNORECASE)
SUSPICIOUS: Final = 4
MOST_XML_BYTES: Final = 64 * 2**20
NESTED: Final = (list, dict)
Region = tuple[dict[str, Any], dict[str, Any]]
"""An annotation, and what its property list says beyond."""
CATEGORIES: Final = {
    "mass": "mass",
    "calcification": "calcification",
    "calcifications": "calcification",
    "cluster": "calcification_cluster",
    "distortion": "architectural_distortion",
}
TEXTS: Final = {
    "files_not_here": "images of the table whose file is not here: a partial download",
    "files_not_named": "files that the table lacks: kept without labels, of the patient whom their "
    "name tells",
    "files_doubled": "files of a name that another one has: left out",
    "xml_unreadable": "contour files that are no OsiriX property list: no findings",
    "rois_without_points": "regions without a point, or of points that are no two numbers: dropped",
    "muscles_left_out": "regions of the pectoral muscle among the findings: left out",
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
        "contours of the pectoral muscle lie in files of their own, some as a list of ROIPoints: "
        "no findings, wherever they lie",
        "a point is two numbers: decimal commas are dropped and counted, never paired anew",
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
    adapter_version: str = "3"

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
        table, counts = _table(archive), Counter[str]()
        here, counts["files_doubled"] = _images(archive)
        contours, _ = _contours(archive)
        labels: dict[str, dict[str, Any]] = {}
        for cells in table:
            name = read_id(cells, "File Name")
            if name is None or not name.isdigit():
                continue  # the blank row and the totals
            path = here.get(name)
            if path is None:
                counts["files_not_here"] += 1
                continue
            regions = list(_regions(archive, contours.get(name), counts))
            labels[path] = _labels(cells, path, regions)
        counts["files_not_named"] = len(here) - len(labels)
        rows = [
            CatalogRow(path, labels.get(path) or {"patient_id": _patient(path)})
            for path in sorted(here.values())
        ]
        return Catalog(rows, notices=count_notices(counts, TEXTS), described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count table, files and contours.

        Raises:
            NotFoundError: No table.
            ConfigError: A column that cannot be found.
        """
        names = [read_id(cells, "File Name") for cells in _table(archive)]
        here, _ = _images(archive)
        return [
            Count("images in the table", 410, sum(bool(name and name.isdigit()) for name in names)),
            Count("images here", 410, len(here)),
            Count("patients here", None, len({_patient(path) for path in here.values()})),
            Count("files of contours", None, len(_contours(archive)[0])),
        ]


def _table(archive: Path) -> Table:
    path = find_file(archive, TABLES, LAYOUT)
    told = {"release": "INbreast", "delimiters": ";,", "encoding": "latin-1"}
    return open_table(path, COLUMNS, **told)


def _images(archive: Path) -> tuple[dict[str, str], int]:
    """Find the images: file name of the table to path, and how many have another one's name."""
    return by_name(files_below(archive), lambda path: _named(path, 1))


def _contours(archive: Path) -> tuple[dict[str, str], int]:
    """Find the contours of findings; those of the pectoral muscle are other files."""
    paths = files_below(archive, suffixes=(".xml",))
    return by_name((path for path in paths if not MUSCLE.search(path)), _number)


def _number(path: str) -> str | None:
    stem = path.rpartition("/")[2].partition(".")[0]
    return stem if stem.isdigit() else None


def _patient(path: str) -> str | None:
    return _named(path, 2)


def _named(path: str, part: int) -> str | None:
    named = NAME.search(path)
    return named[part] if named else None


def _labels(cells: Cells, path: str, regions: list[Region]) -> dict[str, Any]:
    raw = cells.text("Bi-Rads")
    found = BIRADS.fullmatch(raw or "")
    if raw is not None and found is None:
        raise cells.fault("Bi-Rads", "0 to 6, with a, b or c")
    birads = int(found[1]) if found else None
    day = as_id(cells.text("Acquisition date"))
    rest = [more for _, more in regions]
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
            "annotations": [annotation for annotation, _ in regions],
            "extra_json": dumps({
                **extra_json(cells, MAPPED), **({"regions": rest} if any(rest) else {}),
            }),
        }
    )  # fmt: skip


def _regions(archive: Path, path: str | None, counts: Counter[str]) -> Iterator[Region]:
    """Read the regions of one image: as annotation, and what else is said of each."""
    for region in _listed(archive / path, counts) if path else ():
        name = str(region.get("Name") or "").strip().lower()
        texts = region.get("Point_px")
        pairs = [POINT.findall(str(text)) for text in (texts if isinstance(texts, list) else ())]
        points = [float(number) for pair in pairs for number in pair]
        faults = {
            "muscles_left_out": name.startswith("pectoral"),
            "rois_without_points": not pairs or any(len(pair) != 2 for pair in pairs),
        }
        if fault := next((code for code, holds in faults.items() if holds), None):
            counts[fault] += 1
            continue
        shape = shape_of(points)
        categories = [CATEGORIES.get(name, name.replace(" ", "_"))] if name else []
        drawn = ("Point_px",) if "outline" in shape else ()
        rest = {key: _plain(value) for key, value in region.items() if key not in drawn}
        yield {**shape, "categories": categories, "source": "inbreast"}, rest


def _plain(value: Any) -> Any:
    """Keep numbers, texts, and lists of texts: a region of OsiriX has nothing else."""
    if isinstance(value, list):
        return [str(one) for one in value if not isinstance(one, NESTED)]
    return (
        value
        if isinstance(value, int | float)
        else None
        if isinstance(value, NESTED)
        else str(value)
    )


def shape_of(points: Sequence[float]) -> dict[str, Any]:
    """Make an annotation of a contour ``x, y, x, y ...``: of one or two points it is a point."""
    xs, ys = points[::2], points[1::2]
    x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
    if len(xs) > 2:
        return {"shape": "box", "coords": [x0, y0, x1, y1], "outline": list(points)}
    return {"shape": "point", "coords": [x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)]}


def _listed(path: Path, counts: Counter[str]) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > MOST_XML_BYTES:
            raise ValueError
        with path.open("rb") as file:
            told = plistlib.load(file, fmt=plistlib.FMT_XML)
        if "Images" not in told and "ROIPoints" in told:
            return [{"Name": "pectoral muscle"}]
        regions = [region for image in told["Images"] for region in image.get("ROIs") or []]
        return [{**region} for region in regions]
    except Exception:  # whatever a damaged property list raises
        counts["xml_unreadable"] += 1
        return []
