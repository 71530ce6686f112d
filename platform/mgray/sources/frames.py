"""The frames in which datasets give coordinates, and the way back to the ``dicom`` frame.

A frame differs from the stored pixels by flips. Which, the frame itself tells, or the pixels must:
see ``ballot``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mgray.sources.ballot import OPEN, cast
from mgray.sources.boxes import Columns, Flips, flip_annotation

Annotation = Mapping[str, Any]


def place(
    annotations: Sequence[Annotation], columns: Columns, frame_of_image: str | None = None
) -> tuple[list[Annotation], set[str]]:
    """Bring all annotations of one image into its ``dicom`` frame.

    Args:
        annotations: With ``coords`` and perhaps ``outline`` in ``source_frame``; none is ``dicom``.
        columns: Of the image: size, orientation, and where the breast is, if known.
        frame_of_image: Whose flags are told without annotations too.

    Returns:
        Annotations in the dicom frame, and flags of ``schema.QC_FLAGS``.
    """
    placed: list[Annotation] = []
    flags: set[str] = set()
    frames = {one.get("source_frame") or "dicom" for one in annotations}
    for frame in sorted(frames | {frame_of_image or "dicom"}):
        group = [one for one in annotations if (one.get("source_frame") or "dicom") == frame]
        if frame in OPEN:
            ballot = cast(frame, [one["coords"] for one in group], columns)
            flips, found = ballot.flips(), ballot.flags()
        else:
            flips, found = FRAMES[frame](columns)
        placed += [flip_annotation(one, flips, columns) for one in group]
        flags |= found if group else found - {"frame_undecided"}
    return placed, flags


def _dicom(columns: Columns) -> tuple[Flips, set[str]]:
    return (False, False), set()


def _bottom_left(columns: Columns) -> tuple[Flips, set[str]]:
    """Origin at the bottom left, y upwards (mini-MIAS)."""
    return (False, True), set()


def _upright(columns: Columns) -> tuple[Flips, set[str]]:
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


FRAMES: Final[Mapping[str, Callable[[Columns], tuple[Flips, set[str]]]]] = {
    "dicom": _dicom,
    "bottom_left": _bottom_left,
    "duke_upright": _upright,
}
"""Name of a frame to what tells its flips; those of ``ballot.OPEN`` are found out."""
