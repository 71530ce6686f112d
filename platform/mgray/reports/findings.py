"""A picture of an image table: some images with what their source drew on them, to be looked at.

Boxes are red if malignant, green if not, grey if their pathology is unknown; the breast's box is
blue. Images with findings come first. Captions hold labels and the
licence tag, no id; the file names all tags too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from jaxtyping import UInt8
from pydantic import Field, field_validator

from mgray.config import Config
from mgray.errors import ConfigError, DataError
from mgray.licence import UNKNOWN, tags_of
from mgray.sources.registry import known

COLOURS: Final = {
    "malignant": (230, 60, 50),
    "benign": (60, 190, 90),
    "high_risk": (240, 160, 40),
    "other_cancer": (200, 60, 200),
    "negative": (60, 190, 90),
    None: (220, 220, 220),
}
BREAST: Final = (70, 120, 230)
CAPTION_PX: Final = 44


class FindingsConfig(Config):
    """Which dataset, and what of it."""

    source: str | None = None
    """Name of a dataset, or all."""
    archive: Path | None = None
    """Folder of the dataset as delivered: counted against the pinned release."""
    table: Path | None = None
    """Image table: drawn into out."""
    out: Path | None = None
    """Picture to write, PNG."""
    count: int = Field(default=24, ge=1)
    """Images in the picture."""
    side: int = Field(default=360, ge=64)
    """Height of an image in the picture, pixels."""

    @field_validator("source")
    @classmethod
    def _known(cls, source: str | None) -> str | None:
        return source if source in (None, "all") else known(source)


def draw_table(config: FindingsConfig) -> int:
    """Write the picture of a dataset's table.

    Returns:
        How many images it shows.

    Raises:
        NotFoundError: No image table.
        ConfigError: No picture named.
        DataError: The table holds none of the dataset's images.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from mgray.data.table import ImageTable

    if config.table is None or config.out is None:
        raise ConfigError("table=DIR and out=PICTURE.png go together: give both")
    table = ImageTable.open(config.table)
    columns = table.index.select(["dataset", "annotations", "licence_tag"])
    drawn = pc.list_value_length(columns["annotations"])
    rows = columns.set_column(1, "annotations", drawn).to_pylist()
    chosen = choose(rows, config)
    if not chosen:
        raise DataError(f"the table holds no image of {config.source}: give the one of its ingest")
    tiles = [draw(record, config.side) for record in table.records(chosen)]
    told = PngInfo()
    told.add_text("Copyright", ", ".join(tags_of(*(rows[at]["licence_tag"] for at in chosen))))
    config.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_grid(tiles)).save(config.out, "PNG", pnginfo=told)
    return len(tiles)


def choose(rows: Sequence[Mapping[str, Any]], config: FindingsConfig) -> list[int]:
    """Choose rows evenly, those with findings first.

    Args:
        rows: ``dataset`` and ``annotations``, or their number, of the whole table.
        config: Which dataset, and how many.
    """
    names = {config.source} if config.source != "samples" else {"samples", "cbis_ddsm"}
    own = [at for at, row in enumerate(rows) if row["dataset"] in names]
    drawn = [at for at in own if rows[at]["annotations"]]
    plain = [at for at in own if not rows[at]["annotations"]]
    kept = _evenly(drawn, config.count)
    return sorted(kept + _evenly(plain, config.count - len(kept)))


def draw(record: Mapping[str, Any], side: int) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one image with its findings and a caption.

    Args:
        record: A row of the image table with pixels.
        side: Height of the picture of the image, pixels.
    """
    import cv2

    from mgray.dicom.pixels import read_display, reduce_to

    rows, columns = record["rows"], record["columns"]
    reduce = max(record["pixel_reduce"], reduce_to(rows, columns, 2 * side))
    scale = side / rows
    size = (max(1, round(columns * scale)), side)
    grey = cv2.resize(read_display(record, reduce), size, interpolation=cv2.INTER_AREA)
    tile = np.repeat((np.clip(grey, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    if record["breast_box"]:
        _rectangle(tile, record["breast_box"], scale, BREAST)
    for finding in record["annotations"]:
        colour = COLOURS.get(finding["pathology"], COLOURS[None])
        if finding["outline"]:
            points = (np.array(finding["outline"]).reshape(-1, 1, 2) * scale).round()
            cv2.polylines(tile, [points.astype(np.int32)], True, colour, 1, cv2.LINE_AA)
        _rectangle(tile, finding["coords"], scale, colour)
    return np.vstack([tile, _caption(record, tile.shape[1])])


def captions(record: Mapping[str, Any]) -> tuple[str, str]:
    """Say an image's labels in two lines.

    Args:
        record: A row of the image table.
    """
    frames = {one["frame_index"] for one in record["annotations"]} - {None}
    slices = f"slice {','.join(map(str, sorted(frames)))}" if frames else ""
    seen = [record["laterality"], record["view"], record["image_kind"], slices]
    seen.append(record["licence_tag"] or UNKNOWN)
    truth = {"birads": record["birads"], "path": record["pathology"], "cancer": record["cancer"]}
    said = [f"{name} {value}" for name, value in truth.items() if value is not None]
    return " ".join(filter(None, seen)), " ".join(said) or "no label"


def _rectangle(
    tile: UInt8[np.ndarray, "height width 3"],
    box: Sequence[float] | Sequence[int],
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    import cv2

    x0, y0, x1, y1 = (round(edge * scale) for edge in box)
    cv2.rectangle(tile, (x0, y0), (max(x0, x1 - 1), max(y0, y1 - 1)), colour, 1)


def _caption(record: Mapping[str, Any], width: int) -> UInt8[np.ndarray, "height width 3"]:
    import cv2

    strip = np.zeros((CAPTION_PX, width, 3), np.uint8)
    for number, line in enumerate(captions(record)):
        place = (3, 16 + 18 * number)
        cv2.putText(strip, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255,) * 3, 1, cv2.LINE_AA)
    return strip


def _grid(tiles: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> UInt8[np.ndarray, "height width 3"]:
    """Put tiles of one height into rows, each as wide as the widest."""
    width, height = max(tile.shape[1] for tile in tiles) + 6, tiles[0].shape[0] + 6
    across = max(1, round((len(tiles) * height / width) ** 0.5 * 1.3))
    down = -(-len(tiles) // across)
    page = np.zeros((down * height, min(across, len(tiles)) * width, 3), np.uint8)
    for number, tile in enumerate(tiles):
        y, x = number // across * height, number % across * width
        page[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return page


def _evenly(items: Sequence[int], count: int) -> list[int]:
    if count <= 0 or not items:
        return []
    count = min(count, len(items))
    return [items[at * len(items) // count] for at in range(count)]
