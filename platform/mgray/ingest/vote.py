"""Whole archives settle frames that single images leave open, see ``sources.ballot``.

Images that the published rule treats alike vote among themselves: of those that it flips the pixels
say straight or flipped, and so of those that it does not. So no hypothesis can be outvoted by
images of the other side, which tell nothing of it. A published rule yields to many images of one
mind only, see ``ENOUGH`` and ``CLEAR``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from mgray.config import Config
from mgray.ingest.ledger import Entry
from mgray.sources.ballot import FRAME_FLAGS, OPEN
from mgray.sources.boxes import flip_annotation

Word = Literal["straight", "flipped"]
WORDS: Final[Mapping[bool, Word]] = {False: "straight", True: "flipped"}
ENOUGH: Final = 10
"""Images that must have decided before they speak for others."""
CLEAR: Final = 0.9
"""Share of them that must agree: boxes of a known frame lie in the breast in 99 of 100 images."""
Votes = Mapping[tuple[str, bool], Counter[bool | None]]
"""Frame, and whether the rule flips it, to images by what their pixels say."""


class FrameVotes(Config):
    """How the boxes of images in an open frame were read, see ``sources.ballot``."""

    frame: str
    """Its name."""
    by_rule: Word
    """How the published rule reads these images."""
    straight: int
    """Images whose pixels say so."""
    flipped: int
    """Images whose pixels say so."""
    undecided: int
    """Images whose pixels do not tell."""
    followed: Word
    """How those were read."""
    told_by: Literal["archive", "rule"]
    """Why: other images, or, where these are few or not of one mind, the rule."""


def count_votes(entries: Iterable[Entry]) -> Votes:
    """Count the images whose boxes are in an open frame; each file of an object should be once."""
    votes: dict[tuple[str, bool], Counter[bool | None]] = {}
    for entry in entries:
        if (ballot := entry.ballot) is not None:
            votes.setdefault((ballot.frame, ballot.rule), Counter())[ballot.held] += 1
    return votes


def vote_for(entry: Entry, votes: Votes) -> bool | None:
    """Tell what an image that cannot decide should follow.

    Returns:
        Whether images like it are flipped; ``None`` if it decides itself or they do not
        clearly say.
    """
    ballot = entry.ballot
    if ballot is None or ballot.held is not None:
        return None
    return winner(votes[ballot.frame, ballot.rule])


def winner(said: Counter[bool | None]) -> bool | None:
    """Tell whether images are flipped; ``None`` if too few say, or not clearly."""
    straight, flipped = said[False], said[True]
    clear = max(straight, flipped) >= CLEAR * (straight + flipped)
    return flipped > straight if clear and straight + flipped >= ENOUGH else None


def tell_votes(entries: Iterable[Entry]) -> list[FrameVotes]:
    """Say how an archive voted, sorted by frame."""
    return [
        FrameVotes(
            frame=frame,
            by_rule=WORDS[rule],
            straight=said[False],
            flipped=said[True],
            undecided=said[None],
            followed=WORDS[rule if (won := winner(said)) is None else won],
            told_by="rule" if won is None else "archive",
        )
        for (frame, rule), said in sorted(count_votes(entries).items())
    ]


def settled_notes(entry: Entry) -> dict[str, int]:
    """Notices of an image as its archive settled them."""
    if entry.ballot is None:
        return dict(entry.notes)
    kept = {code: count for code, count in entry.notes.items() if code not in FRAME_FLAGS}
    return kept | dict.fromkeys(sorted(entry.ballot.flags(entry.vote)), 1)


def settled_frame(row: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
    """Make annotations and flags of a row say what its entry says.

    A box that was cut at the image's edge is the same cut box mirrored. Doing it twice does no
    harm.

    Args:
        row: Of ``schema.IMAGE``; its pixels are not read.
        entry: Of the same image.

    Returns:
        Columns of the row; none for an image that says nothing of a frame.
    """
    ballot = entry.ballot
    if ballot is None:
        return {}
    before = "frame_hypothesis_mirrored" in row["qc_flags"]
    changed = before != ballot.flipped(entry.vote)
    flips = OPEN[ballot.frame].flips if changed else (False, False)
    return {
        "annotations": [
            flip_annotation(one, flips, row) if one["source_frame"] == ballot.frame else one
            for one in row["annotations"]
        ],
        "qc_flags": sorted({*row["qc_flags"]} - FRAME_FLAGS | ballot.flags(entry.vote)),
    }
