"""CSAW-CC: screening exams of Karolinska with outcomes from the cancer registry."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.sources.cells import Cells
from mgray.sources.layout import by_name, files_below, find_file
from mgray.sources.pairing import flag_repeated
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import Table, as_id, dumps, extra_json, open_table, read_id, without_nones
from mgray.sources.timing import Timeline

LAYOUT: Final = (
    "CSAW-CC_breast_cancer_screening_data.csv (comma or semicolon)",
    "<anon_patientid>_20990909_<L|R>_<CC|MLO>_<n>.dcm, anywhere below",
    "*_mask.png beside them, for some",
)
TABLES: Final = tuple(f"{folder}CSAW-CC_breast_cancer_screening_data*.csv" for folder in ("", "*/"))
COLUMNS: Final = (
    "anon_patientid",
    "exam_year",
    "x_case",
    "x_cancer_laterality",
    "rad_timing",
    "imagelaterality",
    "viewposition",
    "anon_filename",
)
MAPPED: Final = frozenset({"anon_patientid", "imagelaterality", "viewposition", "anon_filename"})
SIDES: Final = {"left": "L", "right": "R", "l": "L", "r": "R"}
SEEN: Final = ("1", "2")
"""rad_timing of exams whose images the cancer counts for: screen-detected, interval."""
MASK: Final = "_mask"
WOMAN: Final = re.compile(r"(\d+)_\d{8}_[LR]_(?:CC|MLO)_", re.IGNORECASE)
TEXTS: Final = {
    "files_not_here": "images of the table whose file is not here: a partial download",
    "files_not_named": "files that the table lacks: kept without labels, of the woman whom their "
    "name tells",
    "files_doubled": "files of a name that another one has: left out",
    "rows_doubled": "rows that name an image again: first one taken",
    "dup_view": "images of a side and view that the exam has several of: kept and flagged",
    "outcome_later": "images of a breast whose cancer was found at a later screen, or whose side "
    "is not told: cancer unknown",
    "masks_without_cancer": "masks on images whose cancer is not told or none: no pathology",
    "masks_without_image": "masks whose image is not here: left out",
}
DESCRIPTION: Final = Description(
    title="CSAW-CC (mammography), case-control subset of the Cohort of Screen-Aged Women",
    kind="FFDM, Hologic, DICOM",
    size="8,723 women (873 with cancer), 24,694 exams, 98,788 images",
    labels="cancer from the registry, by side and by time to the diagnosis",
    boxes="masks for part of the cancers, brought to boxes",
    pairs="none",
    obtain="by application: Swedish National Data Service, doi:10.5878/45vm-t798",
    layout=LAYOUT,
    pitfalls=(
        "columns x_* are outcomes known later: cancer counts for an image only on the cancer's "
        "side, and only if it was found at that screen or in the interval after it "
        "(rad_timing 1, 2)",
        "earlier screens of the same breast (rad_timing 3) are unknown, not negative",
        "x_* and rad_* columns stay in extra_json, which no reader loads",
        "the date in file names is a placeholder: exams go by year, exam_order too; days to an "
        "outcome are not told",
        "three exams hold eight images: flagged dup_view",
        "a table with semicolons exists",
        "a spreadsheet drops the zeros of anon_patientid: the woman is told by the file's name",
        "rad_recall is missing in 2,001 exams: null",
    ),
    unsettled=(
        "how masks are named: <image>_mask.png is looked for; a mask is of a cancer",
        "the licence's terms: treated as not to be handed on",
    ),
)


@dataclass(frozen=True)
class CsawCcSource:
    """CSAW-CC."""

    name: str = "csaw_cc"
    licence_tag: str = "CSAW-CC"
    adapter_version: str = "4"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Join the table with the files that are here.

        Raises:
            NotFoundError: No table.
            ConfigError: A column or cell that cannot be understood.
        """
        counts = Counter[str]()
        here, counts["files_doubled"] = by_name(files_below(archive), _stem)
        masks, doubled = by_name(files_below(archive, suffixes=(f"{MASK}.png",)), _stem)
        counts["files_doubled"] += doubled
        labels: dict[str, dict[str, Any]] = {}
        years = Timeline(map(_when, _table(archive)))
        for cells in _table(archive):
            name = _stem(cells.text("anon_filename") or "")
            if name not in here:
                counts["files_not_here"] += 1
            elif here[name] in labels:
                counts["rows_doubled"] += 1
            else:
                order = years.order(*_when(cells))
                told = _labels(cells, masks.pop(f"{name}{MASK}", None), counts)
                labels[here[name]] = told | ({} if order is None else {"exam_order": order})
        counts["files_not_named"] = len(here) - len(labels)
        counts["masks_without_image"] = len(masks)
        counts["dup_view"] = flag_repeated(labels.values())
        rows = [CatalogRow(path, labels.get(path) or _named(path)) for path in here.values()]
        return Catalog(rows, notices=count_notices(counts, TEXTS), described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count table and files.

        Raises:
            NotFoundError: No table.
            ConfigError: A column that cannot be found.
        """
        women, cases, exams, images = set[str](), set[str](), set[str](), 0
        for cells in _table(archive):
            images += 1
            woman = _woman(cells) or ""
            women.add(woman)
            exams.add(f"{woman} {as_id(cells.text('exam_year'))}")
            cases |= {woman} if cells.flag("x_case") else set()
        return [
            Count("women", 8_723, len(women)),
            Count("women with cancer", 873, len(cases)),
            Count("exams", 24_694, len(exams)),
            Count("images in the table", 98_788, images),
            Count("images here", 98_788, sum(1 for _ in files_below(archive))),
        ]


def _table(archive: Path) -> Table:
    path = find_file(archive, TABLES, LAYOUT)
    return open_table(path, COLUMNS, release="CSAW-CC", delimiters=",;")


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0] or path


def _when(cells: Cells) -> tuple[str | None, int | None]:
    """Woman and year of an image."""
    year = as_id(cells.text("exam_year")) or ""
    return _woman(cells), int(year) if year.isdecimal() else None


def _woman(cells: Cells) -> str | None:
    """Tell the woman by the file's name, whose zeros no spreadsheet drops, else by the table."""
    named = _named(cells.text("anon_filename") or "")
    return named.get("patient_id") or read_id(cells, "anon_patientid")


def _named(path: str) -> dict[str, str]:
    """Tell the woman by the name of a file."""
    found = WOMAN.match(_stem(path))
    return {"patient_id": found[1]} if found else {}


def _labels(cells: Cells, mask: str | None, counts: Counter[str]) -> dict[str, Any]:
    woman, year = _woman(cells), as_id(cells.text("exam_year"))
    side = cells.word("imagelaterality", SIDES)
    cancer = _cancer(cells, side)
    counts["outcome_later"] += cancer is None
    counts["masks_without_cancer"] += mask is not None and cancer != 1
    return without_nones(
        {
            "patient_id": woman,
            "exam_id": f"{woman} {year}",
            "laterality": side,
            "view": cells.word("viewposition", ("CC", "MLO")),
            "cancer": cancer,
            "label_source": None if cancer is None else "registry",
            "label_level": "breast",
            "annotations": [] if mask is None else [_annotation(mask, cancer)],
            "extra_json": dumps(extra_json(cells, MAPPED)),
        }
    )


def _cancer(cells: Cells, side: str | None) -> int | None:
    """Tell whether a cancer of this breast was found at this screen or soon after.

    ``None`` where it was found at a later screen, or on a side that is not told: then nobody knows
    what was there.
    """
    case, affected = cells.flag("x_case"), cells.word("x_cancer_laterality", SIDES)
    if case and side is None:
        return None
    if case and affected in (side, None):
        return 1 if affected and as_id(cells.text("rad_timing")) in SEEN else None
    return None if case is None else 0


def _annotation(mask: str, cancer: int | None) -> dict[str, Any]:
    return {
        "shape": "box",
        "coords": None,
        "mask_files": [mask],
        "categories": [],
        "pathology": "malignant" if cancer == 1 else None,
        "source": "csaw_cc mask",
    }
