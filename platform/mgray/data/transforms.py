"""From a table's row to the network's input: the one preprocessing of training and serving.

Crop to the breast, mirror so that it touches the left edge, resize, pad, standardise. All linear in
each axis, so that boxes map both ways exactly. What a paper blanks inside the crop moves nothing.

Frames (continuous coordinates: pixel ``i`` covers ``i`` to ``i + 1``):

* ``dicom``: the stored pixel matrix;
* ``net``: the network's input.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import Float

from mgray.data.blanking import blank
from mgray.data.config import PreprocessConfig
from mgray.data.window import Box, best_window
from mgray.dicom.breast import unpack_mask
from mgray.dicom.codecs import HTJ2K_RESOLUTIONS
from mgray.dicom.grey import apply_grey
from mgray.dicom.pixels import read_stored, reduced_affine
from mgray.dicom.view import faces_left
from mgray.errors import DataError

__all__ = [
    "GEOMETRY_COLUMNS",
    "Geometry",
    "PreprocessConfig",
    "check_record",
    "crop_box",
    "levels_spared",
    "locate",
    "prepare",
]

GEOMETRY_COLUMNS: Final = (
    "rows",
    "columns",
    "pixel_reduce",
    "image_kind",
    "breast_box",
    "breast_mask",
    "cropper",
    "pixels_face",
    "patient_orientation",
    "laterality",
)
"""What ``locate`` reads of a row; without a breast box the whole image is taken."""

cv2.setNumThreads(1)  # parallel over images, not inside one


@dataclass(frozen=True)
class Geometry:
    """Where the pixels of the dicom frame lie in the net frame: ``net = scale * dicom + offset``.

    Args:
        scale: Of x and y; x is negative for a mirrored image.
        offset: Of x and y, pixels of the net frame.
        size: Height and width of the net frame.
    """

    scale: tuple[float, float]
    offset: tuple[float, float]
    size: tuple[int, int]

    def boxes_to_net(self, boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "box 4"]:
        """Map ``xyxy`` from the dicom frame; not clipped."""
        scale, offset = np.tile(self.scale, 2), np.tile(self.offset, 2)
        return _ordered(boxes.astype(np.float64) * scale + offset)

    def boxes_to_dicom(self, boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "box 4"]:
        """Map ``xyxy`` from the net frame; not clipped."""
        scale, offset = np.tile(self.scale, 2), np.tile(self.offset, 2)
        return _ordered((boxes.astype(np.float64) - offset) / scale)


@dataclass(frozen=True)
class _Layout:
    """What is decoded of an image and where it goes."""

    reduce: int
    crop: tuple[int, int, int, int]
    """Pixels of the reduced image."""
    height: int
    """Of the resized crop, pixels of the net frame."""
    width: int
    top: int
    mirrored: bool

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Where the dicom frame lies in a net frame of this size."""
        x0, y0, x1, y1 = self.crop
        step, _, shift = reduced_affine(self.reduce)[0].tolist()
        scale_x, scale_y = self.width / (x1 - x0), self.height / (y1 - y0)
        offset_x, offset_y = (shift - x0) * scale_x, (shift - y0) * scale_y + self.top
        if self.mirrored:
            scale_x, offset_x = -scale_x, self.width - offset_x
        return Geometry((scale_x * step, scale_y * step), (offset_x, offset_y), size)


def prepare(
    record: Mapping[str, Any], config: PreprocessConfig
) -> tuple[Float[np.ndarray, "height width"], Geometry]:
    """Make the network's input from one image; equal input gives equal bits.

    Args:
        record: A row of the image table: pixels, display attributes and ``GEOMETRY_COLUMNS``.
        config: Shape of the input.

    Returns:
        The standardised grey image, and where it lies.

    Raises:
        DataError: As ``check_record``.
    """
    check_record(record, config)
    layout = _lay_out(record, config)
    x0, y0, x1, y1 = layout.crop
    shown = apply_grey(read_stored(record, layout.reduce)[y0:y1, x0:x1], record)
    blank(shown, record, config, reduce=layout.reduce, mirrored=layout.mirrored)
    content = _resized(shown, layout.height, layout.width)
    net = np.zeros((config.net_height, config.net_width), dtype=np.float32)
    rows = slice(layout.top, layout.top + layout.height)
    net[rows, : layout.width] = content[:, ::-1] if layout.mirrored else content
    return _standardise(net), layout.geometry(net.shape)


def check_record(record: Mapping[str, Any], config: PreprocessConfig) -> None:
    """Refuse an image that a model of this config would see otherwise when serving.

    Args:
        record: ``GEOMETRY_COLUMNS`` of a row of the image table.
        config: Of the model.

    Raises:
        DataError: Cropped by another rule, stored smaller than the network needs, or of a kind
            without a window.
    """
    if record["cropper"] != config.cropper:
        raise DataError(
            f"the table's breasts are cropped as {record['cropper']}, the model's as "
            f"{config.cropper}: set preprocess.cropper, or ingest with cropper={config.cropper}"
        )
    needed = _choose_reduce(_crop_box(record, config), _window(record, config), config)
    kept = record["pixel_reduce"]
    if kept > needed:
        raise DataError(
            f"the table lacks {kept} wavelet levels, the network's input may lack {needed}: "
            "ingest again with a larger resolution, or without"
        )


def levels_spared(record: Mapping[str, Any], config: PreprocessConfig) -> int:
    """Tell how many wavelet levels ``prepare`` leaves out: no more of an image need be read.

    Args:
        record: ``GEOMETRY_COLUMNS`` of a row of the image table.
        config: Shape of the input.

    Raises:
        DataError: No window for images of this kind.
    """
    return _lay_out(record, config).reduce


def locate(record: Mapping[str, Any], config: PreprocessConfig) -> Geometry:
    """Tell where ``prepare`` puts an image, without its pixels.

    Args:
        record: ``GEOMETRY_COLUMNS`` of a row of the image table.
        config: Shape of the input.
    """
    return _lay_out(record, config).geometry((config.net_height, config.net_width))


def crop_box(record: Mapping[str, Any], config: PreprocessConfig) -> Box:
    """Tell the part of an image that ``prepare`` shows the network: ``xyxy``, dicom frame.

    Args:
        record: ``GEOMETRY_COLUMNS`` of a row of the image table.
        config: Shape of the input.
    """
    layout = _lay_out(record, config)
    step, _, shift = reduced_affine(layout.reduce)[0].tolist()
    width, height = float(record["columns"]), float(record["rows"])
    x0, y0, x1, y1 = ((edge - shift) / step for edge in layout.crop)
    return max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height)


def _lay_out(record: Mapping[str, Any], config: PreprocessConfig) -> _Layout:
    crop, window = _crop_box(record, config), _window(record, config)
    reduce = _choose_reduce(crop, window, config)
    shape = tuple(-(-int(record[name]) // 2**reduce) for name in ("rows", "columns"))
    x0, y0, x1, y1 = _reduced_crop(crop, reduce, shape)
    height, width = _content_size(float(y1 - y0), float(x1 - x0), window, config, 2.0**-reduce)
    top = (config.net_height - height) // 2
    return _Layout(reduce, (x0, y0, x1, y1), height, width, top, faces_left(record))


def _crop_box(record: Mapping[str, Any], config: PreprocessConfig) -> Box:
    """The breast's box and its margin inside the image, or the window in it; dicom frame."""
    height, width = float(record["rows"]), float(record["columns"])
    x0, y0, x1, y1 = (float(edge) for edge in record["breast_box"] or (0, 0, width, height))
    breast = x0, y0, x1, y1
    rim = config.margin * max(x1 - x0, y1 - y0) if config.margin_px is None else config.margin_px
    x0, x1 = max(x0 - rim, 0.0), min(x1 + rim, width)
    y0, y1 = max(y0 - rim, 0.0), min(y1 + rim, height)
    crop = (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else (0.0, 0.0, width, height)
    window = _window(record, config)
    if window is None:
        return crop
    mask = unpack_mask(record["breast_mask"]) if record["breast_mask"] else None
    low, high = map(math.floor, crop[:2]), map(math.ceil, crop[2:])
    x0, y0, x1, y1 = map(float, (*low, *high))
    return best_window(mask, breast, (x0, y0, x1, y1), window)


def _window(record: Mapping[str, Any], config: PreprocessConfig) -> tuple[int, int] | None:
    """Height and width of the window, dicom frame; ``None`` if the whole crop is taken."""
    if config.fit != "window":
        return None
    kind = record["image_kind"]
    if kind not in config.windows:
        raise DataError(
            f"no window for images of the kind {kind}: give those of all kinds, "
            f"preprocess.windows={{{kind}: [HEIGHT,WIDTH], ...}}"
        )
    return config.windows[kind]


def _choose_reduce(crop: Box, window: tuple[int, int] | None, config: PreprocessConfig) -> int:
    """The smallest decode that still has every pixel the network will see."""
    height, width = crop[3] - crop[1], crop[2] - crop[0]
    content_height, content_width = _content_size(height, width, window, config)
    spare = min(height / content_height, width / content_width)
    return max(0, min(HTJ2K_RESOLUTIONS, int(math.log2(spare)))) if spare > 1 else 0


def _content_size(
    height: float,
    width: float,
    window: tuple[int, int] | None,
    config: PreprocessConfig,
    step: float = 1.0,
) -> tuple[int, int]:
    """Height and width of the resized crop inside the net frame.

    Args:
        height: Of the crop.
        width: Of the crop.
        window: Of the dicom frame, if the net frame is one.
        config: Shape of the input.
        step: Pixels of the crop in one of the dicom frame.
    """
    scales = config.net_height / height, config.net_width / width
    if window is not None:
        scales = config.net_height / (window[0] * step), config.net_width / (window[1] * step)
    elif config.fit == "letterbox":
        scales = (min(scales),) * 2
    return (
        min(config.net_height, max(1, round(height * scales[0]))),
        min(config.net_width, max(1, round(width * scales[1]))),
    )


def _reduced_crop(
    crop: tuple[float, float, float, float], reduce: int, shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The crop in whole pixels of the reduced image; never empty."""
    step, _, shift = reduced_affine(reduce)[0].tolist()
    x0, y0 = (max(0, math.floor(v * step + shift)) for v in crop[:2])
    x1, y1 = (math.ceil(v * step + shift) for v in crop[2:])
    return (
        min(x0, shape[1] - 1),
        min(y0, shape[0] - 1),
        min(max(x1, x0 + 1), shape[1]),
        min(max(y1, y0 + 1), shape[0]),
    )


def _resized(
    image: Float[np.ndarray, "height width"], height: int, width: int
) -> Float[np.ndarray, "new_height new_width"]:
    """Area mean along an axis that shrinks, linear along one that grows.

    In two passes: where one axis grows, OpenCV takes two rows of many along the other, too.
    """
    smaller = min(image.shape[1], width), min(image.shape[0], height)
    shrunk = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_AREA))


def _standardise(image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Mean 0, standard deviation 1 over the whole input, black included (P1-A10)."""
    wide = image.astype(np.float64)
    standard: Float[np.ndarray, "height width"] = (
        (wide - wide.mean()) / max(float(wide.std()), 1e-5)
    ).astype(np.float32)
    return standard


def _ordered(boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "box 4"]:
    """A mirrored box has its x swapped."""
    pairs = np.sort(boxes.reshape(-1, 2, 2), axis=1)
    return np.asarray(pairs.reshape(-1, 4), dtype=np.float64)
