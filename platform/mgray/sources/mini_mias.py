"""mini-MIAS: films of the UK, PGM pictures and one text of truth."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError
from mgray.sources.csv_table import WORST_FIRST
from mgray.sources.layout import by_name, files_below, find_file, read_text
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import dumps, without_nones

LAYOUT: Final = ("Info.txt", "mdb001.pgm ... mdb322.pgm")
NAMED: Final = re.compile(r"mdb\d{3}(\s|$)")
ROW: Final = re.compile(
    r"(mdb(\d{3}))\s+([FGD])\s+(CALC|CIRC|SPIC|MISC|ARCH|ASYM|NORM)(?:\s+([BM]))?(?:\s+(.*))?"
)
PLACE: Final = re.compile(r"(\d+)\s+(\d+)\s+(\d+)")
NORMAL: Final = "NORM"
CATEGORIES: Final = {
    "CALC": ["calcification"],
    "CIRC": ["mass", "circumscribed"],
    "SPIC": ["mass", "spiculated"],
    "MISC": ["mass"],
    "ARCH": ["architectural_distortion"],
    "ASYM": ["asymmetry"],
}
PATHOLOGY: Final = {"B": "benign", "M": "malignant"}
SIDE: Final = 1024
"""Pixels of a picture's sides; coordinates are of no other size."""
SPACING_MM: Final = 0.2
TEXTS: Final = {
    "files_not_here": "images of Info.txt whose file is not here: a partial download",
    "files_not_named": "pictures that Info.txt lacks: left out",
    "files_doubled": "pictures of a name that another one has: left out",
    "findings_without_place": "abnormalities without coordinates: no box",
}
DESCRIPTION: Final = Description(
    title="mini-MIAS database of mammograms",
    kind="digitised film, PGM of 1024 x 1024 pixels of 0.2 mm",
    size="161 patients, 322 images",
    labels="kind and severity of each abnormality; 207 normal images; tissue in three classes",
    boxes="circles, brought to boxes",
    pairs="none",
    obtain="the Mammographic Image Analysis Society's server, or a mirror",
    layout=LAYOUT,
    pitfalls=(
        "y counts from the bottom: row = 1024 - y",
        "even numbers are left breasts, odd ones right, two to a patient: checked against the "
        "pixels (laterality_tag_vs_pixels)",
        "seven images have several rows: one image with several findings, labelled by the worst",
        "three rows hold *NOTE 3* for widespread calcification, one nothing at all: no box",
        "F, G, D are three tissues, no BI-RADS density: kept in extra_json",
        "the text begins with prose",
        "coordinates of the full-size MIAS are others: boxes of a picture that is not 1024 x 1024 "
        "are dropped, flagged size_contradicted",
        "a row that begins with mdb and cannot be read is an error, no prose",
        "normal is the readers' word: pathology stays empty",
    ),
    unsettled=(
        "what severity rests on is not told: it is taken as pathology and cancer, label_source "
        "stays empty",
        "whether all views are MLO: taken as MLO",
    ),
)


@dataclass(frozen=True)
class MiniMiasSource:
    """mini-MIAS."""

    name: str = "mini_mias"
    licence_tag: str = "mini-MIAS"
    adapter_version: str = "3"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def catalog(self, archive: Path) -> Catalog:
        """Read Info.txt for the pictures that are here.

        Raises:
            NotFoundError: No Info.txt.
            ConfigError: It holds no such rows, or one that cannot be understood.
        """
        counts, rows, named = Counter[str](), [], _read(archive)
        pictures = files_below(archive, suffixes=(".pgm",))
        here, counts["files_doubled"] = by_name(pictures, lambda path: Path(path).stem.lower())
        for name, found in sorted(named.items()):
            counts["findings_without_place"] += sum(
                one["place"] is None and one["kind"] != NORMAL for one in found
            )
            if name in here:
                rows.append(CatalogRow(here[name], _labels(name, found)))
        counts["files_not_here"] = len(named.keys() - here.keys())
        counts["files_not_named"] = len(here.keys() - named.keys())
        return Catalog(rows, notices=count_notices(counts, TEXTS))

    def verify(self, archive: Path) -> list[Count]:
        """Count Info.txt and the pictures.

        Raises:
            NotFoundError: No Info.txt.
            ConfigError: It holds no such rows, or one that cannot be understood.
        """
        named = _read(archive)
        found = [one for rows in named.values() for one in rows]
        files = sum(1 for _ in files_below(archive, suffixes=(".pgm",)))
        return [
            Count("rows of Info.txt", 330, len(found)),
            Count("images in Info.txt", 322, len(named)),
            Count("normal rows", 207, sum(one["kind"] == NORMAL for one in found)),
            Count("benign rows", 69, sum(one["severity"] == "B" for one in found)),
            Count("malignant rows", 54, sum(one["severity"] == "M" for one in found)),
            Count("pictures here", 322, files),
        ]


def _read(archive: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the rows after the prose, by image."""
    path = find_file(archive, ["Info.txt", "*/Info.txt", "info.txt"], LAYOUT)
    named: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not NAMED.match(line.strip()):
            continue  # prose
        row = ROW.fullmatch(line.strip())
        if row is None:
            raise ConfigError(
                f"line {number} of Info.txt: expected mdb and a number, F, G or D, a kind, B or M, "
                "and x, y, radius: get it again"
            )
        name, _, tissue, kind, severity, rest = row.groups()
        place = PLACE.fullmatch((rest or "").strip())
        if rest and place is None and "*" not in rest:
            raise ConfigError(f"line {number} of Info.txt: expected x, y and radius: get it again")
        where = tuple(map(float, place.groups())) if place else None
        told = {"tissue": tissue, "kind": kind, "severity": severity, "place": where}
        named[name].append({**told, "note": rest if place is None else None})
    if not named:
        raise ConfigError("Info.txt holds no row that begins with mdb: is it mini-MIAS's?")
    return named


def _labels(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    number = int(name[3:])
    side, patient = "L" if number % 2 == 0 else "R", f"pair {(number + 1) // 2}"
    severities = {PATHOLOGY.get(one["severity"] or "") for one in found}
    pathology = next((word for word in WORST_FIRST if word in severities), None)
    normal = all(one["kind"] == NORMAL for one in found)
    known = pathology is not None or normal
    kept = [{name: one[name] for name in ("tissue", "kind", "severity", "note")} for one in found]
    return without_nones(
        {
            "patient_id": patient,
            "exam_id": patient,
            "laterality": side,
            "view": "MLO",
            "image_kind": "film",
            "pathology": pathology,
            "cancer": int(pathology == "malignant") if known else None,
            "label_level": "image",
            "annotations": [_annotation(one) for one in found if one["place"]],
            "extra_json": dumps(kept),
            "raster": {
                "format": "picture",
                "uid": f"mini-MIAS {name}",
                "spacing_mm": SPACING_MM,
                "laterality": side,
            },
        }
    )


def _annotation(row: dict[str, Any]) -> dict[str, Any]:
    """Bound a circle; coordinates count from the bottom left."""
    x, y, radius = row["place"]
    return {
        "shape": "box",
        "coords": [x - radius, y - radius, x + radius, y + radius],
        "source_frame": "bottom_left",
        "of_size": [SIDE, SIDE],
        "categories": CATEGORIES[row["kind"]],
        "pathology": PATHOLOGY.get(row["severity"] or ""),
        "source": "mini_mias",
    }
