"""DDSM as the University of South Florida keeps it: a folder for each case.

``.ics`` tells the case, ``.LJPEG`` is an image in a lossless JPEG that needs the Stanford decoder
(``jpeg -d -s FILE`` leaves headerless numbers in ``FILE.1``), ``.OVERLAY`` its abnormalities.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Shaped

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.csv_table import WORST_FIRST
from mgray.sources.ddsm_overlay import Abnormality, read_overlay
from mgray.sources.layout import files_below, tell
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import dumps, without_nones

LAYOUT: Final = (
    "<normals|cancers|benigns|benign_without_callbacks>/.../<case>/<A-1234-1>.ics",
    "<A_1234_1>.<LEFT|RIGHT>_<CC|MLO>.LJPEG, decoded beside it as .LJPEG.1",
    "<A_1234_1>.<LEFT|RIGHT>_<CC|MLO>.OVERLAY for images with abnormalities",
)
IMAGE: Final = re.compile(
    r"(LEFT|RIGHT)_(CC|MLO)\s+LINES\s+(\d+)\s+PIXELS_PER_LINE\s+(\d+)\s+BITS_PER_PIXEL\s+(\d+)"
    r"\s+RESOLUTION\s+([\d.]+)\s*(\S*)"
)
DENSITY: Final = {"1": "a", "2": "b", "3": "c", "4": "d"}
NORMAL: Final = re.compile(r"(^|[/_])normals?([/_]|\d|$)", re.IGNORECASE)
BIRADS_WORST_FIRST: Final = (5, 4, 0, 3, 2, 1)
DBA: Final = "dba"
LINEAR: Final[Mapping[str, tuple[float, float]]] = {
    "howtek_mgh": (-0.00094568, 3.789),
    "lumisys": (-1 / 1009.01, 4096.99 / 1009.01),
    "howtek_ismd": (-0.00099055807612, 3.96604),
}
"""Digitiser to slope and intercept of optical density over grey level."""
OD_RANGE: Final = (0.05, 3.0)
TEXTS: Final = {
    "images_not_here": "images of the cases whose file is not here: a partial download",
    "not_decoded": "images that the Stanford decoder has not decoded: refused",
    "no_biopsy": "images whose benign findings were not called back: no biopsy proves them",
    "digitiser_unknown": "images whose digitiser is not told: raw grey levels, no density",
    "overlays_unreadable": "overlays that cannot be understood: no findings, no labels",
}
DESCRIPTION: Final = Description(
    title="DDSM, Digital Database for Screening Mammography",
    kind="digitised film, lossless JPEG of 1990, decoded by the user",
    size="about 2,600 cases of four images",
    labels="pathology and BI-RADS of each abnormality in each view, density; normal cases",
    boxes="contours (chain codes), brought to boxes",
    pairs="none",
    obtain="the University of South Florida's server, or a mirror; decode with the Stanford "
    "decoder: jpeg -d -s FILE.LJPEG",
    layout=LAYOUT,
    pitfalls=(
        "numbers of a decoded file are big-endian and without a header: lines and pixels per line "
        "are in the .ics",
        "grey level is not optical density: linear digitisers (Lumisys, Howtek) get rescale to "
        "density, DBA's logarithm keeps raw grey levels; optical_density() maps all",
        "the digitiser is told by the first letter of the case, MGH's two by the .ics; where these "
        "do not tell, grey levels stay raw",
        "chain codes run x, y = column, row, in eight directions; only the boundary is read, cores "
        "are within it",
        "BENIGN_WITHOUT_CALLBACK is benign without a biopsy: no_biopsy",
        "the healthy breast of a cancer patient has no label: cancer stays empty, never the "
        "patient's",
        "normal cases rest on follow-up: label_source followup, pathology empty",
    ),
    unsettled=(
        "how images without an overlay are marked in the .ics: the .OVERLAY file itself decides",
        "licence terms: treated as not to be handed on",
    ),
)


@dataclass(frozen=True)
class DdsmSource:
    """DDSM; images that are decoded."""

    name: str = "ddsm"
    licence_tag: str = "DDSM"
    adapter_version: str = "2"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def catalog(self, archive: Path) -> Catalog:
        """Read the cases that are here.

        Raises:
            NotFoundError: No case.
            ConfigError: An .ics that cannot be understood.
        """
        counts = Counter[str]()
        rows = [row for path in _cases(archive) for row in _images(archive, path, counts)]
        return Catalog(rows, notices=count_notices(counts, TEXTS))

    def verify(self, archive: Path) -> list[Count]:
        """Count cases, images and overlays; their numbers in the release are not published here.

        Raises:
            NotFoundError: No case.
        """
        ends = {"compressed images": ".ljpeg", "decoded images": ".ljpeg.1", "overlays": ".overlay"}
        files = {
            what: sum(1 for _ in files_below(archive, suffixes=(e,))) for what, e in ends.items()
        }
        cases = Count("cases", None, len(_cases(archive)))
        return [cases, *(Count(what, None, found) for what, found in files.items())]


def optical_density(
    grey: Shaped[np.ndarray, "*shape"], digitiser: str
) -> Float[np.ndarray, "*shape"]:
    """Map grey levels to optical density, 0.05 to 3.

    Args:
        grey: Grey levels of a decoded image.
        digitiser: A key of ``LINEAR``, or dba.
    """
    levels = grey.astype(np.float64)
    if digitiser == DBA:
        density = (np.log10(levels + 1) - 4.80662) / -1.07553
    else:
        slope, intercept = LINEAR[digitiser]
        density = slope * levels + intercept
    return np.clip(density, *OD_RANGE)


def digitiser_of(case: str, words: str) -> str | None:
    """Tell the digitiser: by the case's first letter, for MGH's (A) by the .ics; else ``None``."""
    letter = case[:1].upper()
    if letter in ("B", "C"):
        return "lumisys"
    if letter == "D":
        return "howtek_ismd"
    named = {"DBA": DBA, "HOWTEK": "howtek_mgh"} if letter == "A" else {}
    return next((found for word, found in named.items() if word in words.upper()), None)


def _cases(archive: Path) -> list[str]:
    found = sorted(files_below(archive, suffixes=(".ics",))) if archive.is_dir() else []
    if not found:
        what = tell(archive) if archive.is_dir() else "no such folder"
        raise NotFoundError(
            f"looked for *.ics below {str(archive)!r}, found {what}: expected {' | '.join(LAYOUT)}"
        )
    return found


def _images(archive: Path, path: str, counts: Counter[str]) -> Iterator[CatalogRow]:
    """Yield the images of one case."""
    text = (archive / path).read_text(encoding="latin-1")
    facts = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()}
    if "filename" not in facts or not facts["filename"]:
        raise ConfigError("an .ics file names no case (filename): is it DDSM's?")
    case = facts["filename"][0]
    stem = f"{path.rpartition('/')[0]}/{case.replace('-', '_')}".lstrip("/")
    for line in text.splitlines():
        image = IMAGE.match(line.strip())
        if image is None:
            continue
        name = f"{stem}.{image[1]}_{image[2]}"
        here = next(
            (p for p in (f"{name}.LJPEG.1", f"{name}.LJPEG") if (archive / p).is_file()), None
        )
        if here is None:
            counts["images_not_here"] += 1
            continue
        counts["not_decoded"] += here.endswith(".LJPEG")
        found = _overlay(archive / f"{name}.OVERLAY", counts)
        normal = bool(NORMAL.search(path))
        labels = _labels(case, image, facts, found, normal)
        counts.update(labels.get("qc_flags", ()))
        digitiser = digitiser_of(case, " ".join(facts.get("DIGITIZER", ())))
        counts["digitiser_unknown"] += digitiser is None
        labels["raster"] = _raster(case, here, image, digitiser)
        yield CatalogRow(here, labels)


def _overlay(path: Path, counts: Counter[str]) -> list[Abnormality] | None:
    """Read an image's abnormalities; ``None`` if there is no overlay, or it is damaged."""
    if not path.is_file():
        return None
    try:
        return read_overlay(path.read_text(encoding="latin-1"))
    except (ValueError, IndexError):
        counts["overlays_unreadable"] += 1
        return None


def _labels(
    case: str,
    image: re.Match[str],
    facts: Mapping[str, list[str]],
    found: list[Abnormality] | None,
    normal: bool,
) -> dict[str, Any]:
    pathologies = {one.pathology for one in found or ()}
    pathology = next((word for word in WORST_FIRST if word in pathologies), None)
    proven = any(one.proven for one in found or () if one.pathology == pathology)
    birads = {one.birads for one in found or ()}
    cancer = 0 if normal and not found else None
    cancer = cancer if pathology is None else int(pathology == "malignant")
    source = "followup" if normal else "pathology" if proven else "registry"
    return without_nones(
        {
            "patient_id": case,
            "exam_id": case,
            "laterality": image[1][0],
            "view": image[2],
            "image_kind": "film",
            "birads": next((one for one in BIRADS_WORST_FIRST if one in birads), None),
            "pathology": pathology,
            "cancer": cancer,
            "label_source": None if cancer is None else source,
            "label_level": "image",
            "density": DENSITY.get(next(iter(facts.get("DENSITY", ())), "")),
            "age": next(
                (float(age) for age in facts.get("PATIENT_AGE", ()) if age.isdigit()), None
            ),
            "annotations": [_annotation(one, image[2]) for one in found or ()],
            "qc_flags": ["no_biopsy"] if pathology == "benign" and not proven else [],
            "extra_json": dumps({name: " ".join(words) for name, words in facts.items()}),
        }
    )


def _annotation(one: Abnormality, view: str) -> dict[str, Any]:
    return {
        "finding_id": f"{view} {one.number}",
        "shape": "box",
        "coords": one.box,
        "outline": one.outline,
        "categories": one.categories,
        "pathology": one.pathology,
        "birads": one.birads,
        "source": "ddsm",
    }


def _raster(case: str, path: str, image: re.Match[str], digitiser: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "format": "numbers" if path.endswith(".1") else "ljpeg",
        "uid": f"DDSM {case} {image[1]} {image[2]}",
        "rows": int(image[3]),
        "columns": int(image[4]),
        "dtype": ">u2",
        "bits": int(image[5]),
        "spacing_mm": float(image[6]) / 1000,
        "laterality": image[1][0],
    }
    if (
        digitiser is not None and digitiser in LINEAR
    ):  # density falls with the grey level, and is dark where it is high
        told |= {"rescale": list(LINEAR[digitiser]), "photometric": "MONOCHROME1"}
    return told
