"""T-SYNTH and M-SYNTH: simulated C-View-like and digital mammograms of virtual breasts (FDA).

How their files are read is in ``t_synth_files``.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.layout import files_below, tell
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.t_synth_files import LESION, MAMMOGRAM, points_of, raster_of, read_header
from mgray.sources.tables import dumps, without_nones

LAYOUT: Final = (
    "device_data_VICTREPhantoms_spic_<lesion density>/[<dose>/]<fatty|scattered|hetero|dense>/2/"
    "<size>/SIM/<...>.<id>/<id>/",
    "reconstruction<id>.mhd .raw [.loc], reconstruction_mask<id>.h5 (T-SYNTH)",
    "projection_DM<id>.mhd .raw [.loc] (M-SYNTH)",
)
NAME: Final = re.compile(r"(reconstruction|projection_DM)_?(\d+)\.mhd$")
DOSE: Final = re.compile(r"\d+(?:\.\d+)?e\d+")
MASKS: Final = "segmentation_masks/"
BREASTS: Final = {"fatty": "a", "scattered": "b", "hetero": "c", "dense": "d"}
TEXTS: Final = {
    "volumes_left_out": "tomosynthesis volumes: left out, only their 2D images are read",
    "raw_not_here": "headers whose numbers are not here: a partial download",
    "headers_unreadable": "headers that are damaged: left out with their numbers",
    "files_not_named": "files of numbers without their header: left out, since nothing tells their "
    "size",
    "loc_not_here": "images of an odd phantom (with a lesion) whose .loc is not here: no label",
    "loc_of_even": "images of an even phantom, which should be healthy, with a .loc: a lesion",
    "loc_unreadable": "digital mammograms whose .loc does not begin with row and column: "
    "no finding",
    "masks_not_here": "images with a lesion whose mask is not here: no box",
    "masks_left_out": "headers of segmentation masks (M-SYNTH), which are no images: left out",
    "dicom_left_out": "DICOM copies of digital mammograms: left out, the numbers are read",
}
DESCRIPTION: Final = Description(
    title="T-SYNTH and M-SYNTH (FDA, VICTRE virtual breasts)",
    kind="simulated C-View-like 2D (T-SYNTH) and raw digital mammograms (M-SYNTH); raw numbers",
    size="as many phantoms as were downloaded",
    labels="lesion or none by simulation, density of breast and lesion",
    boxes="masks of the lesion, brought to boxes (T-SYNTH); its centre as a point (M-SYNTH)",
    pairs="not by default: see below",
    obtain="Hugging Face, didsr/tsynth and didsr/msynth",
    layout=LAYOUT,
    pitfalls=(
        "sizes are in the .mhd, the .raw has no header; a C-View lies under the header of its "
        "volume and is told by its bytes: height x width of float32; a volume has float64",
        "DimSize is height, width in T-SYNTH and width, height in M-SYNTH; so is ElementSpacing",
        "a digital mammogram is the first of two planes and lies on its side: turned upright; .loc "
        "counts in the numbers as stored, so its y runs upwards in the upright image",
        "digital mammograms come as DICOM too, and their masks under the names of images: counted "
        "and left out",
        "real numbers are stored in 65,536 even steps; rescale brings them back",
        "odd ids have a lesion and a .loc, even ones neither: without its .loc an odd one, of a "
        "partial download, has no label",
        "one phantom is simulated with several lesions and five doses: the phantom is the patient, "
        "each simulation an exam",
    ),
    unsettled=(
        "whether phantoms of one number are the same breast in both datasets: their exams are kept "
        "apart, so nothing pairs",
        "how large a lesion of M-SYNTH is on its image: .loc is a point, no box is made of it",
        "a virtual breast has no side: all are L CC by convention; which way it faces is found in "
        "the pixels",
        "polarity of the digital mammograms: kept as stored, as ffdm_raw",
        "terms of the data (the code is CC0): tagged CC0-1.0",
    ),
)


@dataclass(frozen=True)
class TSynthSource:
    """T-SYNTH, M-SYNTH, or both below one folder."""

    name: str = "t_synth"
    licence_tag: str = "CC0-1.0"
    adapter_version: str = "4"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def catalog(self, archive: Path) -> Catalog:
        """Read the headers that are here.

        Raises:
            NotFoundError: No header.
            ConfigError: No header can be understood.
        """
        counts, rows, damaged = Counter[str](), [], list[ConfigError]()
        here = set(files_below(archive, suffixes=(".raw", ".loc", ".h5")))
        heads = [*_headers(archive)]
        unnamed = {path for path in here if path.endswith(".raw")} - {_raw(p) for p, *_ in heads}
        for path, kind, number in heads:
            raw = _raw(path)
            if MASKS in path:
                counts["masks_left_out"] += 1
                continue
            try:
                head = read_header(archive / path)
            except ConfigError as error:
                damaged.append(error)
                continue
            if raw not in here:
                counts["raw_not_here"] += 1
                continue
            raster = raster_of(raw, kind, head, (archive / raw).stat().st_size)
            if raster is None:
                counts["volumes_left_out"] += 1
                continue
            told = _labels(path, kind, number, here, counts)
            if kind == MAMMOGRAM and told.get("cancer"):
                loc = (archive / path).with_suffix(".loc")
                told["annotations"] = points_of(loc, int(head["DimSize"].split()[0]), counts)
            rows.append(CatalogRow(raw, {**told, "raster": raster}))
        if damaged and len(damaged) + counts["masks_left_out"] == len(heads):
            raise damaged[0]
        counts |= {"headers_unreadable": len(damaged), "files_not_named": len(unnamed)}
        counts["dicom_left_out"] = sum(1 for _ in files_below(archive))
        return Catalog(rows, notices=count_notices(counts, TEXTS))

    def verify(self, archive: Path) -> list[Count]:
        """Count headers and numbers; how many there are depends on what was downloaded.

        Raises:
            NotFoundError: No header.
        """
        heads, here = [*_headers(archive)], set(files_below(archive, suffixes=(".raw",)))
        found = Counter(kind for _, kind, _ in heads)
        raws = sum(_raw(path) in here for path, *_ in heads)
        return [
            Count("reconstructions (T-SYNTH)", None, found["reconstruction"]),
            Count("digital mammograms (M-SYNTH)", None, found[MAMMOGRAM]),
            Count("files of numbers", found.total(), raws, of_release=False),
        ]


def _headers(archive: Path) -> Iterator[tuple[str, str, str]]:
    """Yield path, kind and phantom of each header."""
    paths = sorted(files_below(archive, suffixes=(".mhd",))) if archive.is_dir() else []
    named = [(path, match[1], match[2]) for path in paths if (match := NAME.search(path))]
    if not named:
        what = tell(archive) if archive.is_dir() else "no such folder"
        raise NotFoundError(
            f"looked for reconstruction<id>.mhd or projection_DM<id>.mhd below {str(archive)!r}, "
            f"found {what}: expected {' | '.join(LAYOUT)}"
        )
    yield from named


def _raw(path: str) -> str:
    """Name the numbers of a header."""
    return f"{path.removesuffix('.mhd')}.raw"


def _labels(
    path: str, kind: str, number: str, here: set[str], counts: Counter[str]
) -> dict[str, Any]:
    folders = path.split("/")[:-1]
    lesion = _lesion(number, f"{path.removesuffix('.mhd')}.loc" in here, counts)
    breast = next((BREASTS[name] for name in folders if name in BREASTS), None)
    mask = f"{'/'.join(folders)}/reconstruction_mask{number}.h5".lstrip("/")
    synthetic = kind == "reconstruction"
    boxed = lesion is True and synthetic and mask in here
    counts["masks_not_here"] += lesion is True and synthetic and not boxed
    dose = next((name for name in folders if DOSE.fullmatch(name)), None)
    return without_nones(
        {
            "patient_id": f"phantom {number}",
            "exam_id": "/".join([kind, *folders]),
            "laterality": "L",
            "view": "CC",
            "image_kind": "synthetic_2d" if synthetic else "ffdm_raw",
            "pathology": None if lesion is None else "malignant" if lesion else "negative",
            "cancer": None if lesion is None else int(lesion),
            "label_source": None if lesion is None else "simulation",
            "label_level": "image",
            "density": breast,
            "annotations": [_annotation(mask)] if boxed else [],
            "extra_json": dumps(without_nones({"folders": folders, "dose": dose})),
        }
    )


def _lesion(number: str, located: bool, counts: Counter[str]) -> bool | None:
    """Tell whether a phantom has a lesion; ``None`` where it should and its .loc is not here."""
    odd = int(number[-1]) % 2 == 1
    counts["loc_not_here"] += odd and not located
    counts["loc_of_even"] += located and not odd
    return None if odd and not located else located


def _annotation(mask: str) -> dict[str, Any]:
    return {
        "finding_id": "lesion",
        "shape": "box",
        "coords": None,
        "mask_files": [mask],
        **LESION,
        "source": "t_synth mask",
    }
