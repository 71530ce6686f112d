"""T-SYNTH and M-SYNTH: simulated C-View-like and digital mammograms of virtual breasts (FDA).

``.mhd`` is a small text that tells the size and type of the numbers in ``.raw``; ``.h5`` holds the
tissue of each voxel, 200 for a lesion.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError, NotFoundError
from mgray.sources.layout import files_below, tell
from mgray.sources.source import Catalog, CatalogRow, Count, Description, count_notices
from mgray.sources.tables import dumps, without_nones

LAYOUT: Final = (
    "device_data_VICTREPhantoms_spic_<lesion density>/<fatty|scattered|hetero|dense>/2/<size>/SIM/"
    "D2_<size>_<density>.<id>/<id>/",
    "reconstruction<id>.mhd .raw [.loc], reconstruction_mask<id>.h5 (T-SYNTH)",
    "projection_DM<id>.mhd .raw [.loc] (M-SYNTH)",
)
NAME: Final = re.compile(r"(reconstruction|projection_DM)_?(\d+)\.mhd$")
BREASTS: Final = {"fatty": "a", "scattered": "b", "hetero": "c", "dense": "d"}
DIGITS: Final = re.compile("[0-9]{1,6}")
NUMBER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{0,12})?")
MOST_OF_HEADER: Final = 2**16
"""Bytes of a ``.mhd`` that are read; those of the datasets have a few hundred."""
BIG_ENDIAN: Final = ("ElementByteOrderMSB", "BinaryDataByteOrderMSB")
TYPES: Final = {
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8", "MET_USHORT": "u2", "MET_UCHAR": "u1",
}  # fmt: skip
TEXTS: Final = {
    "volumes_left_out": "tomosynthesis volumes: left out, only their 2D images are read",
    "raw_not_here": "headers whose numbers are not here: a partial download",
    "loc_not_here": "images of an odd phantom (with a lesion) whose .loc is not here: no label",
    "loc_of_even": "images of an even phantom, which should be healthy, with a .loc: a lesion",
    "masks_not_here": "images with a lesion whose mask is not here: no box",
}
DESCRIPTION: Final = Description(
    title="T-SYNTH and M-SYNTH (FDA, VICTRE virtual breasts)",
    kind="simulated C-View-like 2D (T-SYNTH) and raw digital mammograms (M-SYNTH); raw numbers",
    size="as many phantoms as were downloaded",
    labels="lesion or none by simulation, density of breast and lesion",
    boxes="voxel masks of the lesion, brought to boxes on the 2D image (T-SYNTH)",
    pairs="not by default: see below",
    obtain="Hugging Face, didsr/tsynth and didsr/msynth",
    layout=LAYOUT,
    pitfalls=(
        "sizes and types are in the .mhd, the .raw has no header: float32 in 2D, float64 in "
        "volumes",
        "real numbers are stored in 65,536 even steps; rescale brings them back",
        "odd ids have a lesion and a .loc, even ones neither: without its .loc an odd one, of a "
        "partial download, has no label",
        "one phantom is simulated with several lesions and doses: the phantom is the patient",
    ),
    unsettled=(
        "whether phantoms of one number are the same breast in both datasets: their exams are kept "
        "apart, so nothing pairs",
        "what .loc says: boxes come from the voxel masks alone; M-SYNTH has none",
        "a virtual breast has no side: all are L CC by convention",
        "polarity of the digital mammograms: kept as stored, as ffdm_raw",
        "terms of the data (the code is CC0): tagged CC0-1.0",
    ),
)


@dataclass(frozen=True)
class TSynthSource:
    """T-SYNTH, M-SYNTH, or both below one folder."""

    name: str = "t_synth"
    licence_tag: str = "CC0-1.0"
    adapter_version: str = "2"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    def catalog(self, archive: Path) -> Catalog:
        """Read the headers that are here.

        Raises:
            NotFoundError: No header.
            ConfigError: A header that cannot be understood.
        """
        counts, rows = Counter[str](), []
        here = set(files_below(archive, suffixes=(".raw", ".loc", ".h5")))
        for path, kind, number in _headers(archive):
            head = _read(archive / path)
            size = head["DimSize"].split()
            raw = f"{path.removesuffix('.mhd')}.raw"
            if len(size) > 2 and int(size[2]) > 1:
                counts["volumes_left_out"] += 1
            elif raw not in here:
                counts["raw_not_here"] += 1
            else:
                told = _labels(path, kind, number, here, counts)
                rows.append(CatalogRow(raw, {**told, "raster": _raster(raw, head, size)}))
        return Catalog(rows, notices=count_notices(counts, TEXTS))

    def verify(self, archive: Path) -> list[Count]:
        """Count headers and numbers; how many there are depends on what was downloaded.

        Raises:
            NotFoundError: No header.
        """
        found = Counter(kind for _, kind, _ in _headers(archive))
        raws = sum(1 for _ in files_below(archive, suffixes=(".raw",)))
        return [
            Count("reconstructions (T-SYNTH)", None, found["reconstruction"]),
            Count("digital mammograms (M-SYNTH)", None, found["projection_DM"]),
            Count("files of numbers", found.total(), raws),
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


def _read(path: Path) -> Mapping[str, str]:
    with path.open("rb") as file:
        text = file.read(MOST_OF_HEADER).decode("latin-1")
    pairs = (line.partition("=") for line in text.splitlines())
    head = {name.strip(): value.strip() for name, _, value in pairs}
    size = head.get("DimSize", "").split()
    if (
        head.get("ElementType") not in TYPES
        or len(size) < 2
        or not all(map(DIGITS.fullmatch, size))
    ):
        raise ConfigError(
            f"a header (.mhd) lacks DimSize or an ElementType of {', '.join(TYPES)}: get it again"
        )
    return head


def _spacing(head: Mapping[str, str]) -> float | None:
    """Read the first spacing; the pixels of these simulations are square."""
    words = head.get("ElementSpacing", "").split()
    if not words:
        return None
    if not NUMBER.fullmatch(words[0]):
        raise ConfigError("a header (.mhd) has an ElementSpacing of no numbers: get it again")
    return float(words[0])


def _raster(raw: str, head: Mapping[str, str], size: list[str]) -> dict[str, Any]:
    order = ">" if "true" in {head.get(name, "").lower() for name in BIG_ENDIAN} else "<"
    spacing = _spacing(head)
    return {
        "format": "numbers",
        "uid": raw,
        "rows": int(size[1]),
        "columns": int(size[0]),
        "dtype": order + TYPES[head["ElementType"]],
        **({"spacing_mm": spacing} if spacing else {}),
    }


def _labels(
    path: str, kind: str, number: str, here: set[str], counts: Counter[str]
) -> dict[str, Any]:
    folders = path.split("/")[:-1]
    lesion = _lesion(number, f"{path.removesuffix('.mhd')}.loc" in here, counts)
    breast = next((BREASTS[name] for name in folders if name in BREASTS), None)
    mask = f"{'/'.join(folders)}/reconstruction_mask{number}.h5".lstrip("/")
    synthetic = kind == "reconstruction"
    boxed = lesion is True and synthetic and mask in here
    counts["masks_not_here"] += lesion is True and not boxed
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
            "extra_json": dumps({"folders": folders}),
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
        "categories": ["mass", "spiculated"],
        "pathology": "malignant",
        "source": "t_synth mask",
    }
