"""Files of T-SYNTH and M-SYNTH: numbers without a header, a text of sizes, a place of the lesion.

``.mhd`` is a small text that tells the size of the numbers in ``.raw``. The two differ, as their
publisher's loader reads them:

=============  =====================================================================================
T-SYNTH        DimSize is height, width, slices; a C-View has height x width of float32 under the
               header of its volume, which has float64; ``.h5`` holds the tissue of each pixel,
               200 for a lesion
M-SYNTH        DimSize is width, height; two planes follow one another, the first is the image,
               lying on its side: a quarter turn counter-clockwise brings it upright; ``.loc``
               begins with row and column of the lesion in the numbers as stored
=============  =====================================================================================

References:
    github.com/DIDSR/tsynth-release, code/custom_datasets.py.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mgray.errors import ConfigError

MAMMOGRAM: Final = "projection_DM"
DIGITS: Final = re.compile("[0-9]{1,6}")
MOST_OF_LOC: Final = 2**10
"""Bytes of a ``.loc`` that are read: three numbers and perhaps more."""
NUMBER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{0,12})?")
MOST_OF_HEADER: Final = 2**16
"""Bytes of a ``.mhd`` that are read; those of the datasets have a few hundred."""
CVIEW: Final = "f4"
MOST_PLANES: Final = 2
BIG_ENDIAN: Final = ("ElementByteOrderMSB", "BinaryDataByteOrderMSB")
LESION: Final = {"categories": ["mass", "spiculated"], "pathology": "malignant"}
TYPES: Final = {
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8", "MET_USHORT": "u2", "MET_UCHAR": "u1",
}  # fmt: skip


def read_header(path: Path) -> Mapping[str, str]:
    """Read a ``.mhd``.

    Raises:
        ConfigError: It lacks sizes or a known type, or its spacing is none.
    """
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
    _spacing(head)
    return head


def _spacing(head: Mapping[str, str]) -> list[float]:
    """Read the spacing of both axes, in the order of DimSize; one number is of both."""
    words = head.get("ElementSpacing", "").split()[:2]
    if not all(map(NUMBER.fullmatch, words)):
        raise ConfigError("a header (.mhd) has an ElementSpacing of no numbers: get it again")
    found = [float(word) for word in words]
    return found * 2 if len(found) == 1 else found


def raster_of(raw: str, kind: str, head: Mapping[str, str], size: int) -> dict[str, Any] | None:
    """Tell how to read the numbers; ``None`` for a volume.

    Args:
        raw: Its path.
        kind: Of image.
        head: Of it.
        size: Bytes of the file.
    """
    order = ">" if "true" in {head.get(name, "").lower() for name in BIG_ENDIAN} else "<"
    first, second, *slices = map(int, head["DimSize"].split())
    spacing, dtype = _spacing(head), TYPES[head["ElementType"]]
    told: dict[str, Any] = {"format": "numbers", "uid": raw}
    told |= (
        {"spacing_mm": spacing} if any(spacing) else {}
    )  # upright: first of rows, second of columns
    if kind == MAMMOGRAM:
        planes = size // max(1, first * second * int(dtype[1]))
        told |= {"rows": second, "columns": first, "turns": 1}
        return {**told, "dtype": order + dtype, "planes": min(max(planes, 1), MOST_PLANES)}
    cview = size == first * second * int(CVIEW[1])
    if slices and slices[0] > 1 and not cview:
        return None
    return {**told, "rows": first, "columns": second, "dtype": order + (CVIEW if cview else dtype)}


def points_of(path: Path, width: int, counts: Counter[str]) -> list[dict[str, Any]]:
    """Read where the lesion of a digital mammogram is: row and column of the stored numbers.

    Args:
        path: Of the ``.loc``.
        width: Columns of the stored numbers, which are the rows of the upright image.
        counts: Of things met.
    """
    with path.open("rb") as file:
        words = file.read(MOST_OF_LOC).decode("latin-1").split()[:2]
    if len(words) < 2 or not all(map(DIGITS.fullmatch, words)):
        counts["loc_unreadable"] += 1
        return []
    row, column = map(float, words)
    x, y = row, width - 1 - column  # a quarter turn, counter-clockwise
    finding = {"finding_id": "lesion", "shape": "point", "coords": [x, y, x + 1, y + 1]}
    return [{**finding, **LESION, "source": "m_synth loc"}]
