"""How one file is understood, step by step, for the person who wonders why; tells no patient data.

Steps show what the table would show: defined terms, known names and numbers of the image. Ids,
dates, names and any other text of the header stay behind.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from mgray.config import Config
from mgray.dicom.attributes import integer, text, uid_name
from mgray.dicom.child import DecodeChild
from mgray.dicom.codecs import SYNTAXES
from mgray.dicom.grey import is_inverted, is_padding
from mgray.dicom.header import parse
from mgray.dicom.kind import check_burned_in, check_modality, image_kind
from mgray.dicom.limits import Limits
from mgray.dicom.pixels import read_display, read_stored
from mgray.dicom.quiet import quiet
from mgray.dicom.record import FileRecord, Volumes
from mgray.dicom.source import opened
from mgray.dicom.view import told_laterality, told_view, view_modifiers
from mgray.errors import NotFoundError, Rejected
from mgray.ingest.allowed import allowed
from mgray.schema import IMAGE_KINDS

if TYPE_CHECKING:
    from mgray.dicom.attributes import Dataset

HOPELESS: Final = ("unreadable", "empty", "too_large", "decoder_died", "timeout")
"""Refusals after which the header is not looked at in this process."""
PICTURE_PX: Final = 900
GREEN: Final = (0, 200, 0)


class InspectConfig(Config):
    """One file to be explained."""

    file: Path
    """A DICOM file."""
    out: Path | None = None
    """PNG to write: stored values, and display values with the breast's box; none if not given."""
    kind: str | None = Field(default=None, pattern="|".join(f"^{kind}$" for kind in IMAGE_KINDS))
    """Image kind that your table names for the file; told by the header if not given."""
    volumes: Volumes = "refuse"
    """As for jobs.ingest."""
    limits: Limits = Limits()
    """What the file may cost."""


@dataclass
class Explanation:
    """What was understood, in order, up to a refusal.

    Args:
        steps: Name and finding.
        refused: Why the file would not be a row; ``None`` if it would.
        record: The decoded file, if it could be decoded.
    """

    steps: list[tuple[str, str]] = field(default_factory=list)
    refused: Rejected | None = None
    record: FileRecord | None = None


def explain(config: InspectConfig) -> Explanation:
    """Understand a file as an ingest would.

    The file is decoded in a child first: only a header that did it no harm is read here.

    Raises:
        NotFoundError: There is no such file.
    """
    if not config.file.is_file():
        raise NotFoundError(f"no file {str(config.file)!r}: give the path of a DICOM file")
    made = Explanation([("file", f"{config.file.stat().st_size} bytes")])
    try:
        with DecodeChild(config.limits, config.volumes) as child:
            made.record = child.read(config.file, config.kind)
    except Rejected as error:
        made.refused = error
    if made.refused is None or made.refused.reason not in HOPELESS:
        with suppress(Rejected):  # the child has met it already
            made.steps.extend(_header_steps(config))
    if made.record is not None:
        columns = allowed(made.record.columns)
        made.steps += [(name, step(columns)) for name, step in PIXEL_STEPS.items()]
        made.refused = _missing_identity(columns)
    return made


def picture(record: FileRecord) -> UInt8[np.ndarray, "height width 3"]:
    """Draw stored values beside display values with the breast's box; blue, green, red.

    Args:
        record: As decoded; of a large image only as many pixels as are shown.
    """
    import cv2

    columns = record.columns
    longest = max(columns["rows"], columns["columns"])
    stored, shown = (
        _shrunk(image, longest)
        for image in (read_stored(columns).astype(np.float32), read_display(columns))
    )
    low, high = float(stored.min()), float(stored.max())
    grey = [(stored - low) / max(high - low, 1.0), shown]
    panels = [np.repeat((255 * image)[..., None], 3, axis=2).astype(np.uint8) for image in grey]
    if columns["breast_box"]:
        scale = shown.shape[0] / columns["rows"]
        x0, y0, x1, y1 = (round(edge * scale) for edge in columns["breast_box"])
        cv2.rectangle(panels[1], (x0, y0), (x1 - 1, y1 - 1), GREEN, 2)
    gap = np.full((shown.shape[0], 8, 3), 255, np.uint8)
    return np.hstack([panels[0], gap, panels[1]])


def save_picture(record: FileRecord, path: Path) -> None:
    """Write ``picture`` as PNG."""
    import cv2

    path.write_bytes(cv2.imencode(".png", picture(record))[1].tobytes())


def _shrunk(
    image: Float[np.ndarray, "height width"], longest: int
) -> Float[np.ndarray, "small_height small_width"]:
    import cv2

    scale = min(1.0, PICTURE_PX / longest)
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _header_steps(config: InspectConfig) -> Iterator[tuple[str, str]]:
    """Yield what the header tells; ends with ``Rejected`` where an ingest would."""
    with quiet(), opened(config.file, config.limits) as data:
        dataset, syntax, pixels = parse(data, config.limits)
        yield "syntax", uid_name(syntax) if syntax in SYNTAXES else "none that is decoded here"
        check_modality(dataset)
        yield "object", _object(dataset)
        kind, evidence = image_kind(dataset, config.kind)
        yield "kind", f"{kind}, told by {evidence}"
        yield "side", _side(dataset)
        yield "view", _view(dataset)
        check_burned_in(dataset, kind, evidence)
        yield "burned-in text", "none declared"
        if pixels is not None:
            yield "pixels", _promise(dataset)


def _object(dataset: "Dataset") -> str:
    names = {"sop_class_uid": "SOPClassUID", "modality": "Modality", "manufacturer": "Manufacturer"}
    names["manufacturer_model_name"] = "ManufacturerModelName"
    told = allowed({column: text(dataset, keyword) for column, keyword in names.items()})
    uid = told.pop("sop_class_uid")
    return ", ".join(
        [uid_name(uid) if uid else "no SOP class we know", *filter(None, told.values())]
    )


def _side(dataset: "Dataset") -> str:
    return _told(told_laterality(dataset))


def _view(dataset: "Dataset") -> str:
    found = told_view(dataset)
    return ", ".join([_told(found), *(view_modifiers(dataset) if found else [])])


def _told(found: tuple[str, str] | None) -> str:
    if found is None:
        return "not in the header: your table must name it"
    return f"{found[0]}, told by {found[1]}"


def _promise(dataset: "Dataset") -> str:
    rows, columns, frames = (
        integer(dataset, name) for name in ("Rows", "Columns", "NumberOfFrames")
    )
    bits, allocated = (integer(dataset, name) for name in ("BitsStored", "BitsAllocated"))
    sign = "signed" if integer(dataset, "PixelRepresentation") == 1 else "unsigned"
    size = f"{columns} x {rows} pixels, {frames or 1} frame(s)"
    return f"{size}, {bits} of {allocated} bits, {sign}"


def _decoded(columns: Mapping[str, Any]) -> str:
    stored = read_stored(columns)
    return f"agree with the header; stored values {stored.min()} to {stored.max()}"


def _padding(columns: Mapping[str, Any]) -> str:
    value, limit = columns["pixel_padding_value"], columns["pixel_padding_range_limit"]
    if value is None:
        return "none"
    share = is_padding(read_stored(columns), columns).mean()
    return (
        f"{value}{'' if limit is None else f' to {limit}'}: {share:.1%} of the image, shown black"
    )


def _rescale(columns: Mapping[str, Any]) -> str:
    slope, intercept = columns["rescale_slope"], columns["rescale_intercept"]
    if slope is None and intercept is None:
        return "none"
    return f"times {1.0 if slope is None else slope:g}, plus {intercept or 0.0:g}"


def _voi(columns: Mapping[str, Any]) -> str:
    if columns["voi_lut"]:
        return f"lookup table of {len(columns['voi_lut']) - 2} entries"
    if not columns["window_center"]:
        return "none: the whole range of the stored bits is shown"
    center, width = columns["window_center"][0], columns["window_width"][0]
    others = len(columns["window_center"]) - 1
    more = f", the first of {others + 1}" if others else ""
    function = columns["voi_lut_function"] or "LINEAR"
    return f"{function} window, centre {center:g}, width {width:g}{more}"


def _inversion(columns: Mapping[str, Any]) -> str:
    told = (columns["photometric_interpretation"], columns["presentation_lut_shape"])
    words = " and ".join(filter(None, told))
    return f"{'inverted once' if is_inverted(columns) else 'not inverted'}: {words}"


def _breast(columns: Mapping[str, Any]) -> str:
    if columns["breast_box"] is None:
        return "not found: the image is nearly empty"
    x0, y0, x1, y1 = columns["breast_box"]
    return f"x {x0} to {x1}, y {y0} to {y1}; faces {columns['pixels_face']}"


def _flags(columns: Mapping[str, Any]) -> str:
    return ", ".join(columns["qc_flags"]) or "none"


PIXEL_STEPS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "codestream": _decoded,
    "padding": _padding,
    "rescale": _rescale,
    "window": _voi,
    "inversion": _inversion,
    "breast": _breast,
    "flags": _flags,
}


def _missing_identity(columns: Mapping[str, Any]) -> Rejected | None:
    missing = [name for name in ("laterality", "view") if columns[name] is None]
    if not missing:
        return None
    return Rejected("missing_identity", f"unless your table names {' and '.join(missing)}")
