"""FFDM and SM side by side as self-contained SVG: true boxes red, detections green.

Pixels are a small JPEG inside the SVG; boxes stay vectors in the dicom frame of their image, so
they are exact at any zoom. Captions hold no identifier.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import Float
from PIL import Image

from mgray.data.table import ImageTable
from mgray.metrics.outcomes import ImageMarks
from mgray.reports.audit import small_copy
from mgray.reports.cases import Cases, lesions
from mgray.reports.summary import bucket_members

HEIGHT: Final = 420  # pixels of a picture
TITLES: Final = {
    "missed_in_ffdm_only": "Missed in FFDM only",
    "missed_in_sm_only": "Missed in SM only",
    "false_in_ffdm_only": "False detection in FFDM only",
    "false_in_sm_only": "False detection in SM only",
    "random_positive": "Positive pairs at random",
}
SHOWN: Final = {"ffdm": ("ffdm",), "sm": ("sm", "fused")}  # models drawn on each image

_WHERE: Final[dict[tuple[bool | None, bool | None], str]] = {
    (True, True): "visible in both",
    (True, False): "visible in FFDM only",
    (False, True): "visible in SM only",
    (False, False): "visible in neither",
}


@dataclass(frozen=True)
class Picture:
    """One pair.

    Attributes:
        sides: FFDM and SM as ``<svg>`` text.
        caption: Density and findings, in words.
    """

    sides: tuple[str, str]
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Some pairs of one bucket.

    Attributes:
        title: Of the bucket.
        count: How many pairs the bucket holds.
        pictures: Those shown.
    """

    title: str
    count: int
    pictures: list[Picture]


def build_galleries(
    table: ImageTable, cases: Cases, limits: Mapping[str, float], count: int, seed: int
) -> list[Gallery]:
    """Draw up to ``count`` pairs of every bucket and of all positive pairs, seeded."""
    members = bucket_members(cases, limits)
    members["random_positive"] = np.flatnonzero(cases.positive)
    galleries = []
    for number, (name, pairs) in enumerate(members.items()):
        rng = np.random.default_rng((seed, number))
        chosen = np.sort(rng.permutation(pairs)[:count])
        pictures = [_picture(table, cases, limits, int(pair)) for pair in chosen]
        galleries.append(Gallery(TITLES[name], len(pairs), pictures))
    return galleries


def caption(row: Mapping[str, Any], other: Mapping[str, Any], density: str | None) -> str:
    """Describe a pair by density and malignant findings.

    Args:
        row: Of the FFDM.
        other: Of the SM.
        density: BI-RADS density, if known.
    """
    shows = {a["finding_id"]: a["visible"] for a in other["annotations"]}
    words = [f"density {density}"] if density else []
    for lesion in lesions(row):
        kind = " ".join(lesion["categories"] or []).replace("_", " ") or "finding"
        where = _WHERE.get((lesion["visible"], shows.get(lesion["finding_id"])), "")
        words.append(f"{kind}, {where}" if where else kind)
    return " · ".join(words)


def _picture(table: ImageTable, cases: Cases, limits: Mapping[str, float], number: int) -> Picture:
    pair = cases.pairs[number]
    sides = []
    for kind, record in zip(SHOWN, table.records([pair.rows[k] for k in SHOWN]), strict=True):
        row = cases.rows[kind][number]
        truth = np.array([a["coords"] for a in lesions(row)], float).reshape(-1, 4)
        drawn = {
            model: _above(cases.images[model][number], limits[model])
            for model in SHOWN[kind]
            if cases.kinds.get(model) == kind
        }
        sides.append(side_svg(record, truth, drawn))
    words = caption(cases.rows["ffdm"][number], cases.rows["sm"][number], pair.density)
    return Picture((sides[0], sides[1]), words)


def side_svg(
    record: Mapping[str, Any],
    truth: Float[np.ndarray, "lesion 4"],
    drawn: Mapping[str, ImageMarks],
) -> str:
    """One image with its boxes.

    Args:
        record: A row of the image table with pixels.
        truth: Boxes of malignant findings, dicom frame.
        drawn: Marks to show for each model, same frame.
    """
    height, width = record["rows"], record["columns"]
    line = height / 160
    shapes = [_rect(box, "truth", line) for box in truth]
    for model, marks in drawn.items():
        for box, score in zip(marks.boxes, marks.scores, strict=True):
            shapes.append(_rect(box, f"mark mark-{model}", line))
            shapes.append(_score(box, float(score), model, height))
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="mammogram with boxes">'
        f'<image width="{width}" height="{height}" preserveAspectRatio="none"'
        f' href="{jpeg_uri(small_copy(record, HEIGHT), width / height)}"/>{"".join(shapes)}</svg>'
    )


def jpeg_uri(image: Float[np.ndarray, "height width"], aspect: float) -> str:
    """A data URI of display values 0 to 1 at gallery size."""
    size = (max(1, round(HEIGHT * aspect)), HEIGHT)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    grey = (np.clip(small, 0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(grey).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _above(marks: ImageMarks, limit: float) -> ImageMarks:
    keep = marks.scores >= limit
    return ImageMarks(marks.lesions, marks.boxes[keep], marks.scores[keep], marks.spacing_mm)


def _rect(box: Float[np.ndarray, "4"], name: str, line: float) -> str:
    x0, y0, x1, y1 = (round(float(v), 1) for v in box)
    size = f'width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"'
    return f'<rect class="{name}" x="{x0}" y="{y0}" {size} stroke-width="{line:.1f}"/>'


def _score(box: Float[np.ndarray, "4"], score: float, model: str, height: int) -> str:
    size = height / 32
    below = model == "fused"
    y = float(box[3]) + size if below else max(float(box[1]) - size * 0.3, size)
    text = f"{score:.2f}".removeprefix("0")
    place = f'x="{box[0]:.1f}" y="{y:.1f}" font-size="{size:.0f}"'
    return f'<text class="score mark-{model}" {place}>{text}</text>'
