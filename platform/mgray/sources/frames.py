"""The frames in which datasets give coordinates, and the way back to the ``dicom`` frame.

A frame differs from the stored pixels by flips. Where a dataset leaves open which, the hypotheses
are tested on the image itself: a finding lies inside the breast. What held is flagged on the row,
never guessed in silence.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Annotation = Mapping[str, Any]
Columns = Mapping[str, Any]
Flips = tuple[bool, bool]
"""Mirror left-right, mirror top-bottom."""

FLIPPED_VIEWS: Final = ("CC", "MLO", "ML")


def place(annotations: Sequence[Annotation], columns: Columns) -> tuple[list[Annotation], set[str]]:
    """Bring all annotations of one image into its ``dicom`` frame.

    Args:
        annotations: With ``coords`` and perhaps ``outline`` in ``source_frame``; none is ``dicom``.
        columns: Of the image: size, orientation, and where the breast is, if known.

    Returns:
        Annotations in the dicom frame, and flags of ``schema.QC_FLAGS``.
    """
    placed: list[Annotation] = []
    flags: set[str] = set()
    for frame in sorted({one.get("source_frame") or "dicom" for one in annotations}):
        group = [one for one in annotations if (one.get("source_frame") or "dicom") == frame]
        flips, found = FRAMES[frame]([one["coords"] for one in group], columns)
        placed += [_flipped(one, flips, columns) for one in group]
        flags |= found
    return placed, flags


def flip_points(points: Sequence[float], flips: Flips, columns: Columns) -> list[float]:
    """Mirror half-open coordinates ``x, y, x, y ...`` in the image.

    Args:
        points: Any number of points.
        flips: Left-right, top-bottom.
        columns: Of the image.
    """
    width, height = float(columns["columns"]), float(columns["rows"])
    sizes = (width if flips[0] else None, height if flips[1] else None)
    return [
        point if (size := sizes[at % 2]) is None else size - point
        for at, point in enumerate(points)
    ]


def flip_box(box: Sequence[float], flips: Flips, columns: Columns) -> list[float]:
    """Mirror ``x0, y0, x1, y1``; corners stay in order if they were."""
    x0, y0, x1, y1 = flip_points(box, flips, columns)
    x0, x1 = (x1, x0) if flips[0] else (x0, x1)
    y0, y1 = (y1, y0) if flips[1] else (y0, y1)
    return [x0, y0, x1, y1]


def _flipped(one: Annotation, flips: Flips, columns: Columns) -> Annotation:
    if flips == (False, False):
        return one
    outline = one.get("outline")
    changes = {"outline": flip_points(outline, flips, columns)} if outline else {}
    return {**one, "coords": flip_box(one["coords"], flips, columns), **changes}


def _dicom(boxes: Sequence[Sequence[float]], columns: Columns) -> tuple[Flips, set[str]]:
    return (False, False), set()


def _bottom_left(boxes: Sequence[Sequence[float]], columns: Columns) -> tuple[Flips, set[str]]:
    """Origin at the bottom left, y upwards (mini-MIAS)."""
    return (False, True), set()


def _embed(boxes: Sequence[Sequence[float]], columns: Columns) -> tuple[Flips, set[str]]:
    """EMBED's PNG frame: every image flipped so that the breast faces right.

    By the rule of EMBED's DCM_to_PNG an image was flipped if its first patient orientation is P; if
    that is missing, if it is of a right breast; views other than CC, MLO, ML never were. Whether
    boxes are in that frame is open: of straight and mirrored the one with more centres inside the
    breast holds; of two as good the rule's is taken and the row says so.
    """
    by_rule = _embed_rule(columns)
    breast = columns.get("breast_box")
    if not breast:
        return (by_rule, False), {"frame_undecided", *_mirrored(by_rule)}
    straight, mirrored = (
        sum(centre_inside(flip_box(box, (flip, False), columns), breast) for box in boxes)
        for flip in (False, True)
    )
    if straight == mirrored:
        return (by_rule, False), {"frame_undecided", *_mirrored(by_rule)}
    held = mirrored > straight
    return (held, False), {*_mirrored(held), *(["frame_against_rule"] if held != by_rule else [])}


def _omi_db(boxes: Sequence[Sequence[float]], columns: Columns) -> tuple[Flips, set[str]]:
    """OMI-DB's: its package says lower left and upper right, a published reader cuts from the top.

    Of the two the one with more centres inside the breast holds; of two as good the reader's.
    """
    breast = columns.get("breast_box")
    if not breast:
        return (False, False), {"frame_undecided"}
    top, bottom = (
        sum(centre_inside(flip_box(box, (False, flip), columns), breast) for box in boxes)
        for flip in (False, True)
    )
    if top == bottom:
        return (False, False), {"frame_undecided"}
    return (False, bottom > top), {"frame_against_rule"} if bottom > top else set()


def _embed_rule(columns: Columns) -> bool:
    if columns.get("view") not in FLIPPED_VIEWS:
        return False
    orientation = columns.get("patient_orientation")
    if orientation and orientation[0]:
        return bool(orientation[0].startswith("P"))
    return bool(columns.get("laterality") == "R")


def _mirrored(flip: bool) -> set[str]:
    return {"frame_hypothesis_mirrored"} if flip else set()


def _upright(boxes: Sequence[Sequence[float]], columns: Columns) -> tuple[Flips, set[str]]:
    """Duke's frame: turned by 180 degrees where the pixels' side is not that of the view's name.

    Decided once for the volume, on its projection. The header's laterality says L for all, so
    ``laterality`` must be the table's.
    """
    faces = {"L": "right", "R": "left"}.get(columns.get("laterality") or "")
    seen = columns.get("pixels_face", "unknown")
    if seen == "unknown" or faces is None:
        return (False, False), {"frame_undecided"}
    turned = seen != faces
    return (turned, turned), {"orient_rotated"} if turned else set()


def centre_inside(box: Sequence[float], breast: Sequence[int]) -> bool:
    """Tell whether a box's centre lies in the breast's box."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return breast[0] <= x < breast[2] and breast[1] <= y < breast[3]


FRAMES: Final[
    Mapping[str, Callable[[Sequence[Sequence[float]], Columns], tuple[Flips, set[str]]]]
] = {
    "dicom": _dicom,
    "bottom_left": _bottom_left,
    "embed_face_right": _embed,
    "duke_upright": _upright,
    "omi_db": _omi_db,
}
"""Name of a frame to what tells its flips."""
