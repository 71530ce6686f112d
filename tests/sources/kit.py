"""What all miniatures are made of: tiny mammograms whose findings are marked in the pixels."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread, dcmwrite

from mgray.dicom.example import example_file
from mgray.dicom.pixels import read_stored

SHAPE = (96, 64)
TISSUE, MARK = 1000, 3000


def breast(
    face: str = "right",
    boxes: Sequence[Sequence[int]] = (),
    shape: tuple[int, int] = SHAPE,
    seed: int = 0,
    radius: int = 34,
) -> np.ndarray:
    """A half disc that points to one side; finding ``n`` is a box of the value ``MARK + n``.

    Args:
        face: Where the nipple points.
        boxes: ``x0, y0, x1, y1`` in stored pixels, half-open.
        shape: Height, width.
        seed: Of the noise in the tissue.
        radius: Of the half disc.
    """
    y, x = np.mgrid[: shape[0], : shape[1]]
    across = x if face == "right" else shape[1] - 1 - x
    disc = (y - shape[0] / 2) ** 2 + across**2 < radius**2
    noise = np.random.default_rng(seed).integers(0, 50, shape)
    pixels = np.where(disc, TISSUE + noise, 0)
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        pixels[y0:y1, x0:x1] = MARK + number
    return pixels.astype(np.uint16)


def marked(row: Mapping[str, Any], number: int = 0) -> list[float] | None:
    """Find where finding ``number`` really is, in the pixels of a row of the table."""
    ys, xs = np.nonzero(read_stored(row) == MARK + number)
    if not len(xs):
        return None
    return [float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)]


def put_image(path: Path, pixels: np.ndarray, **attributes: Any) -> None:
    """Write one DICOM file; keywords as for ``example_file``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(example_file(pixels, **attributes))


def put_volume(path: Path, frames: Sequence[np.ndarray], **attributes: Any) -> None:
    """Write one tomosynthesis volume, multi-frame; keywords as for ``example_file``."""
    told = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3", "NumberOfFrames": len(frames)}
    data = example_file(frames[0], **{**told, **attributes})
    dataset = dcmread(io.BytesIO(data))
    dataset.PixelData = np.stack(frames).astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset)


def put_table(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    header: Iterable[str] | None = None,
    newline: str = "\n",
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> None:
    """Write a CSV; a header of its own may be wider than the rows, whose other cells are empty."""
    names = list(header or dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, names, "", delimiter=delimiter, lineterminator=newline)
    table.writeheader()
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.getvalue().encode(encoding))
