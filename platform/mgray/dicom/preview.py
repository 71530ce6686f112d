"""An image for a screen: grey levels before the window, and the window as a curve that can move.

A viewer lets a person set the window, so the grey levels are those before it. They rise with
brightness whatever the polarity, and what a header asks for (window, sigmoid or VOI LUT) is one
curve over them: another window stretches and shifts it. The curve of a window goes from black to
white, also where the pixels do not, so that another window can show both. Padding is black whatever
the window: where a header names it, level 0 is its own.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Integer, UInt16

from mgray.dicom.codecs import HTJ2K_RESOLUTIONS
from mgray.dicom.grey import is_falling, is_inverted, is_padding, pixel_range, rescale, voi
from mgray.dicom.pixels import read_stored, reduced_affine

TOP: Final = 65535
"""The brightest grey level."""
MOST_POINTS: Final = 4097
"""Of the curve; of a VOI LUT every stored value up to 12 bits has its own."""
REACH: Final = 2.0
"""Of a window's curve, widths on either side of the center: there a sigmoid is black and white."""
Affine = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Frame:
    """How a preview's pixels and grey levels are to be read.

    Attributes:
        affine: Preview to dicom frame, half-open coordinates: ``x, y`` of ``affine @ (x, y, 1)``.
        rows: Height of the dicom frame, pixels.
        columns: Its width.
        pixel_spacing_mm: Between rows and between columns; None if the header does not tell, or
            tells nonsense.
        laterality: L or R.
        view: CC, MLO ...
        image_kind: Of ``schema.IMAGE_KINDS``.
        breast_box: Half-open, pixels of the dicom frame; None if no breast is seen.
        value: Slope and intercept from grey levels to the header's output units, those of windows.
        window: The header's center and width in these units; of a VOI LUT, or of none, its range.
        span: Grey levels of the curve's first and last point, perhaps below 0 and above ``TOP``;
            beyond them the curve is flat.
        curve: Display values, 0 black to 1 white, at equal steps over the span.
        padded: Whether grey level 0 is padding and nothing else, black whatever the curve.
    """

    affine: Affine
    rows: int
    columns: int
    pixel_spacing_mm: list[float] | None
    laterality: str | None
    view: str | None
    image_kind: str
    breast_box: list[int] | None
    value: tuple[float, float]
    window: tuple[float, float]
    span: tuple[float, float]
    curve: list[float]
    padded: bool


def preview(
    columns: Mapping[str, Any], long_side: int
) -> tuple[UInt16[np.ndarray, "height width"], Frame]:
    """Read an image at the largest size whose long side is at most ``long_side`` pixels.

    Args:
        columns: A row of ``schema.IMAGE``; its window must be one that ``check_grey`` accepts.
        long_side: Pixels; an image that is still larger after all wavelet levels stays so.

    Returns:
        Grey levels, 0 to ``TOP`` for ``grey.pixel_range``, and how to read them.
    """
    reduce = _reduce_below(int(columns["rows"]), int(columns["columns"]), long_side)
    reduce = max(reduce, int(columns["pixel_reduce"]))
    return _grey(read_stored(columns, reduce), columns), _frame(columns, reduce)


def to_pgm(grey: UInt16[np.ndarray, "height width"], frame: Frame) -> bytes:
    """Write a portable grey map of 16 bits whose comment is the frame as JSON.

    References:
        Netpbm's PGM, "plain and raw": P5, big-endian.
    """
    height, width = grey.shape
    comment = json.dumps(asdict(frame), allow_nan=False, separators=(",", ":"))
    head = f"P5\n# {comment}\n{width} {height}\n{TOP}\n".encode("ascii")
    return head + grey.astype(">u2").tobytes()


def _reduce_below(rows: int, columns: int, long_side: int) -> int:
    sizes = (-(-max(rows, columns) // 2**reduce) for reduce in range(HTJ2K_RESOLUTIONS))
    return next((r for r, size in enumerate(sizes) if size <= long_side), HTJ2K_RESOLUTIONS)


def _grey(
    stored: Integer[np.ndarray, "height width"], columns: Mapping[str, Any]
) -> UInt16[np.ndarray, "height width"]:
    """Spread the range of the pixels over all grey levels, dark to bright; padding alone is 0."""
    low, high = pixel_range(columns)
    values = np.arange(low, high + 1)
    levels = np.rint((values - low) * (TOP / (high - low))).astype(np.uint16)
    levels = TOP - levels if is_falling(columns) else levels
    if _is_padded(columns):
        levels = np.where(is_padding(values, columns), np.uint16(0), np.maximum(levels, 1))
    place = np.subtract(np.clip(stored, low, high), low, dtype=np.intp)
    return np.asarray(levels[place])


def _frame(columns: Mapping[str, Any], reduce: int) -> Frame:
    scale, _, shift = reduced_affine(reduce)[0].tolist()
    step, offset = 1 / scale, -shift / scale
    spacing = columns["imager_pixel_spacing_mm"] or columns["pixel_spacing_mm"]
    greys = _sampled(columns)
    return Frame(
        affine=((step, 0.0, offset), (0.0, step, offset)),
        rows=int(columns["rows"]),
        columns=int(columns["columns"]),
        pixel_spacing_mm=spacing and list(spacing),
        laterality=columns["laterality"],
        view=columns["view"],
        image_kind=columns["image_kind"],
        breast_box=columns["breast_box"],
        value=_value(columns),
        window=_window(columns),
        span=(float(greys[0]), float(greys[-1])),
        curve=_curve(columns, greys),
        padded=_is_padded(columns),
    )


def _is_padded(columns: Mapping[str, Any]) -> bool:
    return columns["pixel_padding_value"] is not None


def _value(columns: Mapping[str, Any]) -> tuple[float, float]:
    dark, bright = rescale(_ends(columns), columns).tolist()
    return (bright - dark) / TOP, dark


def _window(columns: Mapping[str, Any]) -> tuple[float, float]:
    if columns["voi_lut"]:
        first, _, *entries = columns["voi_lut"]
        return first + len(entries) / 2, float(len(entries))
    if columns["window_center"]:
        return float(columns["window_center"][0]), float(columns["window_width"][0])
    dark, bright = rescale(_ends(columns), columns).tolist()
    return (dark + bright) / 2, abs(bright - dark)


def _sampled(columns: Mapping[str, Any]) -> Float[np.ndarray, " point"]:
    """The grey levels at which the curve is told."""
    low, high = pixel_range(columns)
    whole = np.linspace(0.0, TOP, min(high - low + 1, MOST_POINTS))
    if columns["voi_lut"] or not columns["window_center"]:
        return whole
    (slope, intercept), (center, width) = _value(columns), _window(columns)
    with np.errstate(all="ignore"):  # a header may ask for more than floats hold
        first, last = np.sort((center + np.array([-REACH, REACH]) * width - intercept) / slope)
        return np.linspace(first, last, MOST_POINTS) if 0 < last - first < np.inf else whole


def _curve(columns: Mapping[str, Any], greys: Float[np.ndarray, " point"]) -> list[float]:
    slope, intercept = _value(columns)
    shown = np.clip(voi(intercept + slope * greys, columns), 0.0, 1.0)
    shown = 1.0 - shown if is_inverted(columns) else shown
    return [round(float(level), 4) for level in shown]


def _ends(columns: Mapping[str, Any]) -> Integer[np.ndarray, "2"]:
    """The stored values that are darkest and brightest."""
    low, high = pixel_range(columns)
    return np.array((high, low) if is_falling(columns) else (low, high))
