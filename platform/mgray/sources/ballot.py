"""Frames that leave a flip open, and what one image says of it.

Both hypotheses are tested on the image itself: a finding lies inside the breast. Where an image
tells neither, the archive's other images tell it (``ingest.vote``), and only where these are of two
minds or few the published rule is followed. What held is flagged on the row, never guessed in
silence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mgray.sources.boxes import Columns, Flips, centre_inside, clip, flip_box

FLIPPED_VIEWS: Final = ("CC", "MLO", "ML")
FRAME_FLAGS: Final = frozenset(
    {"frame_undecided", "frame_by_vote", "frame_hypothesis_mirrored", "frame_against_rule"}
)
"""All that a ballot may flag."""


@dataclass(frozen=True)
class OpenFrame:
    """A frame of which nobody can say whether it is flipped.

    Args:
        flips: What a flip is.
        rule: Tells from an image's columns whether the published rule flips it.
    """

    flips: Flips
    rule: Callable[[Columns], bool]


@dataclass(frozen=True)
class Ballot:
    """What one image says of the open frame of its boxes.

    Args:
        frame: A key of ``OPEN``.
        rule: Whether the published rule flips this image.
        held: Whether the hypothesis that holds in the pixels is the flipped one; ``None`` if both
            have as many boxes in the breast.
    """

    frame: str
    rule: bool
    held: bool | None

    def flipped(self, vote: bool | None = None) -> bool:
        """Tell whether the image is taken as flipped.

        Args:
            vote: What the archive says of images like this one, if anything.
        """
        told = vote if self.held is None else self.held
        return self.rule if told is None else told

    def flips(self, vote: bool | None = None) -> Flips:
        """Tell the flips that lead to the dicom frame."""
        return OPEN[self.frame].flips if self.flipped(vote) else (False, False)

    def flags(self, vote: bool | None = None) -> set[str]:
        """Name what was done: a subset of ``FRAME_FLAGS``."""
        flipped = self.flipped(vote)
        found = {
            "frame_undecided": self.held is None and vote is None,
            "frame_by_vote": self.held is None and vote is not None,
            "frame_hypothesis_mirrored": flipped,
            "frame_against_rule": flipped != self.rule,
        }
        return {flag for flag, holds in found.items() if holds}


def cast(frame: str, boxes: Sequence[Sequence[float]], columns: Columns) -> Ballot:
    """Test both hypotheses on an image: with which have more boxes their centre in the breast?

    Args:
        frame: A key of ``OPEN``.
        boxes: ``x0, y0, x1, y1`` in that frame.
        columns: Of the image: size, orientation, and where the breast is, if known.
    """
    rule = OPEN[frame].rule(columns)
    if not columns.get("breast_box"):
        return Ballot(frame, rule, None)
    straight, flipped = (
        sum(_holds(flip_box(box, flips, columns), columns) for box in boxes)
        for flips in ((False, False), OPEN[frame].flips)
    )
    return Ballot(frame, rule, None if straight == flipped else flipped > straight)


def ballot_of(row: Columns) -> Ballot | None:
    """Read the ballot of a row that was just made; ``None`` without boxes in an open frame."""
    frames = (one.get("source_frame") for one in row["annotations"])
    frame = next((frame for frame in frames if frame in OPEN), None)
    if frame is None:
        return None
    flipped = "frame_hypothesis_mirrored" in row["qc_flags"]
    rule = flipped != ("frame_against_rule" in row["qc_flags"])
    return Ballot(frame, rule, None if "frame_undecided" in row["qc_flags"] else flipped)


def _holds(box: Sequence[float], columns: Columns) -> bool:
    """Judge the part of a box that is in the image, so that a later flip changes no judgement."""
    inside = clip(box, columns["columns"], columns["rows"])
    return inside is not None and centre_inside(inside, columns)


def _embed(columns: Columns) -> bool:
    """EMBED's PNG frame: every image flipped so that the breast faces right.

    By its DCM_to_PNG an image was flipped if its first patient orientation is P; if that is
    missing, if it is of a right breast; views other than CC, MLO, ML never were.
    """
    if columns.get("view") not in FLIPPED_VIEWS:
        return False
    orientation = columns.get("patient_orientation")
    if orientation and orientation[0]:
        return bool(orientation[0].startswith("P"))
    return bool(columns.get("laterality") == "R")


def _omi_db(columns: Columns) -> bool:
    """OMI-DB's package says lower left and upper right, a published reader cuts from the top."""
    return False


OPEN: Final[Mapping[str, OpenFrame]] = {
    "embed_face_right": OpenFrame((True, False), _embed),
    "omi_db": OpenFrame((False, True), _omi_db),
}
"""Name of a frame that leaves a flip open."""
