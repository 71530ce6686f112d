"""DDSM as the University of South Florida keeps it: a folder for each case.

``.ics`` tells the case, ``.LJPEG`` is an image in a lossless JPEG that needs the Stanford decoder,
see ``dicom.ljpeg``, ``.OVERLAY`` its abnormalities.
"""

import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.dicom.ljpeg import HOW
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.csv_table import WORST_FIRST
from mgray.sources.ddsm_density import LINEAR, LOGARITHMIC, digitiser_of
from mgray.sources.ddsm_overlay import Abnormality, read_overlay
from mgray.sources.layout import files_below, read_text, tell
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import dumps, without_nones

LAYOUT: Final = (
    "<normals|cancers|benigns|benign_without_callbacks>/.../<case>/<A-1234-1>.ics",
    "<A_1234_1>.<LEFT|RIGHT>_<CC|MLO>.LJPEG, or decoded as .LJPEG.1",
    "<A_1234_1>.<LEFT|RIGHT>_<CC|MLO>.OVERLAY for images with abnormalities",
)
IMAGE: Final = re.compile(
    r"(LEFT|RIGHT)_(CC|MLO)\s+LINES\s+(\d+)\s+PIXELS_PER_LINE\s+(\d+)\s+BITS_PER_PIXEL\s+(\d+)"
    r"\s+RESOLUTION\s+(\d+(?:\.\d*)?)\s*(\S*)"
)
DENSITY: Final = {"1": "a", "2": "b", "3": "c", "4": "d"}
NORMAL: Final = re.compile(r"(^|[/_])normals?([/_]|\d|$)", re.IGNORECASE)
VOLUME: Final = re.compile(r"(^|[/_])(normal|cancer|benign)", re.IGNORECASE)
NORMAL_VOLUME: Final = re.compile(r"normals?(_\d+)?", re.IGNORECASE)
BIRADS_WORST_FIRST: Final = (5, 4, 0, 3, 2, 1)
TEXTS: Final = {
    "images_not_here": "images of the cases whose file is not here: a partial download",
    "images_doubled": "images that an .ics names a second time, or a copy of it does: first one "
    "taken",
    "ics_unreadable": "cases whose .ics is damaged, it names no case: left out",
    "files_not_named": "images that no .ics names: left out, since nothing tells their size",
    "not_decoded": f"images in lossless JPEG of 1990: refused; {HOW}",
    "overlays_not_here": "images whose .ics tells of an overlay that is not here: no labels",
    "no_biopsy": "images whose benign findings were not called back: no biopsy proves them",
    "digitiser_unknown": "images whose digitiser is not told: raw grey levels, no density",
    "overlays_unreadable": "overlays that cannot be understood: no findings, no labels",
}
DESCRIPTION: Final = Description(
    title="DDSM, Digital Database for Screening Mammography",
    kind="digitised film, lossless JPEG of 1990, decoded by a program that you have",
    size="about 2,600 cases of four images",
    labels="pathology and BI-RADS of each abnormality in each view, density; normal cases",
    boxes="contours (chain codes), brought to boxes",
    pairs="none",
    obtain=f"the University of South Florida's server, or a mirror; {HOW}",
    layout=LAYOUT,
    pitfalls=(
        "no library reads the .LJPEG: the program named by ljpeg_decoder decodes a copy of each "
        "file, as jpeg -d -s FILE, under a time limit, and must leave as many bytes as the .ics "
        "tells; files that you decoded yourself, FILE.1, are taken as they are",
        "numbers of a decoded file are big-endian and without a header: lines and pixels per line "
        "are in the .ics",
        "grey level is not optical density: linear digitisers (Lumisys, Howtek) get rescale to "
        "density, of DBA's logarithm the density itself is stored, 0.05 to 3 in 65,535 steps, the "
        "same ones in all images",
        "the digitiser is told by the first letter of the case, MGH's two by the .ics; where these "
        "do not tell, grey levels stay raw",
        "chain codes run x, y = column, row, in eight directions; the boundary is the box, cores "
        "are kept in extra_json",
        "BENIGN_WITHOUT_CALLBACK is benign without a biopsy: no_biopsy",
        "the healthy breast of a cancer patient has no label: cancer stays empty, never the "
        "patient's",
        "normal cases rest on follow-up: label_source followup, pathology empty; an image whose "
        "overlay is damaged or not here has no label",
    ),
    unsettled=(
        "how images without an overlay are marked in the .ics: the .OVERLAY file itself decides; "
        "where the .ics says OVERLAY and none is here, nothing is told of the image, also in a "
        "normal case",
        "licence terms: treated as not to be handed on",
    ),
)


@dataclass(frozen=True)
class DdsmSource:
    """DDSM.

    Args:
        decoder: Program that decodes ``.LJPEG``, by path or name; without it they are refused.
    """

    decoder: Path | None = None
    name: str = "ddsm"
    licence_tag: str = "DDSM"
    adapter_version: str = "6"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def catalog(self, archive: Path) -> Catalog:
        """Read the cases that are here.

        Raises:
            NotFoundError: No case, or no such decoder.
            ConfigError: No .ics can be understood.
        """
        counts, decoder = Counter[str](), _program(self.decoder)
        cases, rows = _cases(archive), dict[str, CatalogRow]()
        for path in cases:
            for row in _images(archive, path, decoder, counts, rows.keys()):
                rows[row.path] = row
        if counts["ics_unreadable"] == len(cases):
            raise ConfigError("no .ics file names a case (filename): is it DDSM's?")
        counts["files_not_named"] = len(_stems(archive) - set(map(_stem, rows)))
        return Catalog(list(rows.values()), notices=count_notices(counts, TEXTS))

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


def _cases(archive: Path) -> list[str]:
    found = sorted(files_below(archive, suffixes=(".ics",))) if archive.is_dir() else []
    if not found:
        what = tell(archive) if archive.is_dir() else "no such folder"
        raise NotFoundError(
            f"looked for *.ics below {str(archive)!r}, found {what}: expected {' | '.join(LAYOUT)}"
        )
    return found


def _stem(path: str) -> str:
    return path.removesuffix(".1")


def _stems(archive: Path) -> set[str]:
    """Name the images that are here, each once, also where it lies there decoded too."""
    return set(map(_stem, files_below(archive, suffixes=(".ljpeg", ".ljpeg.1"))))


def _program(decoder: Path | None) -> str | None:
    """Find the decoder, by path or by name on the search path."""
    if decoder is None:
        return None
    found = shutil.which(decoder)
    if found is None:
        raise NotFoundError(f"no program {str(decoder)!r} that can be run: {HOW}")
    return str(Path(found).resolve())


def _images(
    archive: Path, path: str, decoder: str | None, counts: Counter[str], taken: Collection[str]
) -> Iterator[CatalogRow]:
    """Yield the images of one case that are not taken yet; none if its .ics is damaged."""
    text = _text(archive / path)
    facts = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()}
    if not facts.get("filename"):
        counts["ics_unreadable"] += 1
        return
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
        if here in taken:
            counts["images_doubled"] += 1
            continue
        counts["not_decoded"] += here.endswith(".LJPEG") and decoder is None
        found = _overlay(archive / f"{name}.OVERLAY", counts)
        drawn = (archive / f"{name}.OVERLAY").is_file()
        lacking = image[7].upper() == "OVERLAY" and not drawn
        counts["overlays_not_here"] += lacking
        unread = lacking or (drawn and found is None)
        normal = _is_normal(archive, path) and not unread
        labels = _labels(case, image, facts, found, normal)
        counts.update(labels.get("qc_flags", ()))
        digitiser = digitiser_of(case, " ".join(facts.get("DIGITIZER", ())))
        counts["digitiser_unknown"] += digitiser is None
        labels["raster"] = _raster(case, here, image, digitiser, decoder)
        yield CatalogRow(here, labels)


def _is_normal(archive: Path, path: str) -> bool:
    """Tell whether a case is normal by the volume it lies in, which may be the archive itself."""
    if VOLUME.search(path):
        return bool(NORMAL.search(path))
    return bool(NORMAL_VOLUME.fullmatch(archive.resolve().name))


def _text(path: Path) -> str:
    """Read an .ics; one that is far too large says nothing."""
    try:
        return read_text(path)
    except ConfigError:
        return ""


def _overlay(path: Path, counts: Counter[str]) -> list[Abnormality] | None:
    """Read an image's abnormalities; ``None`` if there is no overlay, or it is damaged."""
    if not path.is_file():
        return None
    try:
        return read_overlay(read_text(path))
    except (ValueError, IndexError, ConfigError):
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
    told = {name: " ".join(words) for name, words in facts.items()}
    more = [one.extra for one in found or ()]
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
            "extra_json": dumps({**told, **({"abnormalities": more} if more else {})}),
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


def _raster(
    case: str, path: str, image: re.Match[str], digitiser: str | None, decoder: str | None
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "format": "numbers" if path.endswith(".1") else "ljpeg",
        **({} if path.endswith(".1") or decoder is None else {"decoder": decoder}),
        "uid": f"DDSM {case} {image[1]} {image[2]}",
        "rows": int(image[3]),
        "columns": int(image[4]),
        "dtype": ">u2",
        "bits": int(image[5]),
        "spacing_mm": float(image[6]) / 1000,
        "laterality": image[1][0],
    }
    if digitiser is None:
        return told
    told["photometric"] = "MONOCHROME1"  # density falls with the grey level, and is dark where high
    if digitiser in LINEAR:
        return told | {"rescale": list(LINEAR[digitiser])}
    return told | {"log10": list(LOGARITHMIC[digitiser])}
