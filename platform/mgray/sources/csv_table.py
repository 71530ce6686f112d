"""A user's own archive: DICOM files and one CSV table that names them.

Only the column ``path`` is needed where the DICOM headers tell patient, exam, side, view and kind.

=====================  ==========================================================================
column                 meaning
=====================  ==========================================================================
path                   file below the archive's root, parted by slashes of either kind
patient_id, exam_id    any text; equal for one person, one visit
laterality             L or R
view                   CC, MLO ...
image_kind             one of ``schema.IMAGE_KINDS``
cancer                 1, 0 or empty: of this image
split                  train, val or test; a patient without one is assigned by hash
birads, density, age   0-6; a-d or 1-4; years
label_source           pathology, registry, birads_proxy, assumed_normal, followup, simulation
label_level            finding, image, breast, exam or patient
licence_tag            licence of the row
x0, y0, x1, y1         a box in stored pixels, half-open; several lines with one path: several boxes
finding_id             equal in every image that shows the finding
finding_type           words joined by a semicolon, e.g. ``mass;spiculated``
pathology              of the line's box, or of the image: malignant, benign, high_risk ...
=====================  ==========================================================================

Other columns are kept as ``extra_json``, but a name that is nearly one of these is an error.
"""

import difflib
import json
import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from mgray.collector import paused_collector
from mgray.errors import ConfigError, NotFoundError
from mgray.schema import IMAGE_KINDS, SPLITS
from mgray.sources.cells import DENSITIES, Cells, read_lines
from mgray.sources.source import Catalog, Count, Description
from mgray.sources.spool import Rows, Spool

COLUMNS: Final = (
    "path",
    "patient_id",
    "exam_id",
    "laterality",
    "view",
    "image_kind",
    "cancer",
    "split",
    "birads",
    "density",
    "age",
    "label_source",
    "label_level",
    "licence_tag",
    "x0",
    "y0",
    "x1",
    "y1",
    "finding_id",
    "finding_type",
    "pathology",
)
IDS: Final = ("patient_id", "exam_id")
SIDES: Final = {"l": "L", "left": "L", "r": "R", "right": "R"}
WORST_FIRST: Final = ("malignant", "other_cancer", "high_risk", "benign", "negative")
LABEL_SOURCES: Final = (
    "pathology",
    "registry",
    "birads_proxy",
    "assumed_normal",
    "followup",
    "simulation",
)
LABEL_LEVELS: Final = ("finding", "image", "breast", "exam", "patient")
BIRADS: Final = tuple("0123456")
NEARLY: Final = 0.8
MOST_SAID: Final = 2**14
DESCRIPTION: Final = Description(
    title="Your own archive",
    kind="any mammograms in DICOM that one CSV table names",
    size="any; a million rows take minutes",
    labels="what the table says, by column: BI-RADS, pathology, cancer, density, each on its own",
    boxes="columns x0, y0, x1, y1 in stored pixels, several lines for several boxes",
    pairs="where one exam, side and view has an FFDM and a synthetic 2D image",
    obtain="write catalog.csv; only the column path is needed",
    layout=("catalog.csv (or csv=PATH) with a column path", "the files that it names"),
)


@dataclass(frozen=True)
class CsvSource:
    """An archive described by a table.

    Args:
        table: The CSV file; ``catalog.csv`` in the archive if not given.
    """

    table: Path | None = None
    name: str = "csv"
    licence_tag: str = "unknown"
    adapter_version: str = "2"

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Read the table.

        Raises:
            NotFoundError: No such archive or table.
            ConfigError: A misspelt column, a cell that cannot be understood, or lines that
                contradict each other.
        """
        if not archive.is_dir():
            raise NotFoundError(f"no archive folder {str(archive)!r}: give archive=DIR")
        header, lines = read_lines(self.table or archive / "catalog.csv", ["path"])
        read, by_path = _Reader(header), Spool()
        for number, given in lines:
            texts = read.whole(given)
            by_path.add(read.path(number, texts), read.line(number, texts))
        for several in by_path.repeated():
            read.labels(several)
        if read.leaks:
            raise ConfigError(
                "the table puts one patient into two splits: give all images of a patient the same"
            )
        return Catalog(Rows(by_path, read.labels))

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def verify(self, archive: Path) -> list[Count]:
        """Count the files that the table names, and those that lie there."""
        rows = self.catalog(archive).rows
        here = sum((archive / row.path).is_file() for row in rows)
        return [Count("files", len(rows), here, of_release=False)]


def _extra_columns(header: Sequence[str]) -> list[str]:
    absent = [column for column in COLUMNS if column not in header]
    extra = [column for column in header if column not in COLUMNS]
    for column in extra:
        near = difflib.get_close_matches(column.lower(), absent, n=1, cutoff=NEARLY)
        if near:
            raise ConfigError(f"unknown column {column!r}: did you mean {near[0]!r}? rename it")
    return extra


class _Line(NamedTuple):
    """What one line says of its image: a part of ``source.LABELS``."""

    number: int
    labels: dict[str, Any]
    extra: dict[str, str]
    """Texts of the columns that are not known."""


class _Reader:
    """Reads line after line of one table.

    All but ids and unknown columns is understood once for each combination of texts, of which a
    table of millions of lines has few; the first ``MOST_SAID`` are remembered.
    """

    def __init__(self, header: list[str]) -> None:
        place = {name: at for at, name in enumerate(header)}
        self.header = header
        self.ids = {name: place[name] for name in IDS if name in place}
        self.extra = {name: place[name] for name in _extra_columns(header)}
        self.known = [
            place[name] for name in COLUMNS if name in place and name not in ("path", *IDS)
        ]
        self.at = place["path"]
        self.numbers: dict[tuple[str, ...], int] = {}
        self.said: list[dict[str, Any]] = []
        self.kept = [*self.ids.values(), *self.extra.values()]
        self.splits: dict[str | None, str] = {}
        """Patient to the first split that is named."""
        self.leaks = False

    def whole(self, texts: list[str]) -> list[str]:
        """The texts of a line, with an empty one for each that lacks at its end."""
        lacking = len(self.header) - len(texts)
        return texts if lacking <= 0 else texts + [""] * lacking

    def path(self, number: int, texts: Sequence[str]) -> str:
        """The file that a line is about."""
        path = texts[self.at].strip()
        if not path:
            raise ConfigError(
                f"line {number} of the table: path is empty: name a file or delete the line"
            )
        path = path.replace("\\", "/")
        odd = "//" in path or "./" in path or path.endswith(("/", "."))
        return posixpath.normpath(path) if odd else path

    def line(self, number: int, texts: Sequence[str]) -> tuple[Any, ...]:
        """What a line says, in few bytes: for ``labels``."""
        key = tuple([texts[at] for at in self.known])
        at = self.numbers.get(key)
        if at is None:
            cells = Cells(dict(zip(self.header, texts, strict=False)), number)
            said = _without_nones(_understood(cells))
            if len(self.said) < MOST_SAID:
                at = self.numbers[key] = len(self.said)
                self.said.append(said)
        else:
            said = self.said[at]
        split = said.get("split_official")
        patient = (
            texts[self.ids["patient_id"]].strip() if split and "patient_id" in self.ids else ""
        )
        if patient and split:
            self.leaks |= self.splits.setdefault(patient, split) != split
        return number, said if at is None else at, *[texts[place].strip() for place in self.kept]

    def labels(self, lines: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
        """Join the lines of one path: each says something about the image and may hold a box.

        Every image of a patient has the split that any line of that patient names.
        """
        said = [self._said(*line) for line in lines]
        labels = said[0].labels if len(said) == 1 else _joined(said)
        if split := self.splits.get(labels.get("patient_id")):
            labels["split_official"] = split
        extra = [line.extra for line in said]
        return {**labels, "extra_json": json.dumps(extra, sort_keys=True)} if any(extra) else labels

    def _said(self, number: int, at: int | dict[str, Any], *texts: str) -> _Line:
        count, said = len(self.ids), self.said[at] if isinstance(at, int) else at
        labels = {name: text for name, text in zip(self.ids, texts, strict=False) if text}
        rest = zip(self.extra, texts[count:], strict=True) if self.extra else ()
        return _Line(number, labels | said, {name: text for name, text in rest if text})


def _understood(cells: Cells) -> dict[str, Any]:
    view, birads, cancer = cells.text("view"), cells.word("birads", BIRADS), cells.flag("cancer")
    box = _annotation(cells)
    return {
        "laterality": cells.word("laterality", SIDES),
        "view": view.upper() if view else None,
        "image_kind": cells.word("image_kind", IMAGE_KINDS),
        "split_official": cells.word("split", SPLITS),
        "density": cells.word("density", DENSITIES),
        "age": cells.number("age"),
        "birads": int(birads) if birads else None,
        "label_source": cells.word("label_source", LABEL_SOURCES),
        "label_level": cells.word("label_level", LABEL_LEVELS),
        "licence_tag": cells.text("licence_tag"),
        "cancer": None if cancer is None else int(cancer),
        "pathology": cells.word("pathology", WORST_FIRST),
        "annotations": None if box is None else [box],
    }


def _joined(lines: Sequence[_Line]) -> dict[str, Any]:
    said: dict[str, list[Any]] = defaultdict(list)
    for line in lines:
        for column, value in line.labels.items():
            said[column].append(value)
    own: dict[str, Any] = {
        "cancer": max(said.pop("cancer", []), default=None),
        "pathology": min(said.pop("pathology", []), key=WORST_FIRST.index, default=None),
        "annotations": [box for boxes in said.pop("annotations", []) for box in boxes] or None,
    }
    agreed = {column: _agreed(values, column, lines[0].number) for column, values in said.items()}
    return agreed | _without_nones(own)


def _without_nones(labels: Mapping[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in labels.items() if value is not None}


def _agreed(values: Sequence[Any], column: str, first: int) -> Any:
    if len(set(values)) > 1:
        raise ConfigError(
            f"the lines of one path contradict each other in {column!r}, "
            f"from line {first} of the table on: give all the same"
        )
    return values[0]


def _annotation(cells: Cells) -> dict[str, Any] | None:
    coords = cells.box()
    if coords is None:
        return None
    words = (cells.text("finding_type") or "").split(";")
    return {
        "finding_id": cells.text("finding_id"),
        "shape": "box",
        "coords": coords,
        "categories": [word.strip() for word in words if word.strip()],
        "pathology": cells.word("pathology", WORST_FIRST),
        "visible": None,
        "source": "csv",
    }
