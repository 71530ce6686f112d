"""DDSM's .OVERLAY files: abnormalities with their contour as a chain code.

References:
    eng.usf.edu/cvprg/Mammography/DDSM/case_description.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

STEPS: Final = ((0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1))
"""Chain code to dx, dy."""
END: Final = "#"
PATHOLOGY: Final = {
    "MALIGNANT": "malignant",
    "BENIGN": "benign",
    "BENIGN_WITHOUT_CALLBACK": "benign",
}
UNPROVEN: Final = "BENIGN_WITHOUT_CALLBACK"
TITLES: Final = frozenset({"SHAPE", "MARGINS", "TYPE", "DISTRIBUTION"})


TOTAL: Final = re.compile(r"TOTAL_ABNORMALITIES[ \t]+([0-9]{1,4})\b")


@dataclass(frozen=True)
class Abnormality:
    """One abnormality of an image.

    Args:
        number: From 1.
        categories: Kinds and descriptors, lower case.
        birads: Assessment.
        pathology: Of ``schema``, or ``None``.
        proven: By a biopsy, as far as its word tells.
        box: Of its boundary, half-open.
        outline: Centres of the boundary's pixels, ``x, y, x, y ...``.
        extra: What else is told: subtlety, the word of the pathology, lesion types, chains of
            cores.
    """

    number: int
    categories: list[str]
    birads: int | None
    pathology: str | None
    proven: bool
    box: list[float]
    outline: list[float]
    extra: dict[str, Any]


def read_overlay(text: str) -> list[Abnormality]:
    """Read all abnormalities.

    Raises:
        ValueError: Not such a text.
        IndexError: It ends in the middle.
    """
    parts = text.split("ABNORMALITY ")[1:]
    told = TOTAL.search(text)
    if told is None or int(told[1]) != len(parts):
        raise ValueError("not as many abnormalities as told")
    return [_abnormality(part) for part in parts]


def trace(words: Sequence[str]) -> list[tuple[int, int]]:
    """Follow a chain: start column, start row, directions, ``#``; give the pixels it visits.

    Raises:
        ValueError: No such chain.
        IndexError: It has no start.
    """
    x, y = int(words[0]), int(words[1])
    visited = [(x, y)]
    for word in words[2:]:
        if word == END:
            return visited
        if len(word) != 1 or word not in "01234567":
            raise ValueError("a direction is one digit from 0 to 7")
        dx, dy = STEPS[int(word)]
        x, y = x + dx, y + dy
        visited.append((x, y))
    raise ValueError("a chain without an end")


def _abnormality(text: str) -> Abnormality:
    lines = [line.split() for line in text.splitlines() if line.split()]
    facts = {line[0]: line[1:] for line in lines}
    titles = [line[0] for line in lines]
    pixels = trace(_chain(lines, titles.index("BOUNDARY")))
    xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
    word = next(iter(facts.get("PATHOLOGY", ())), "")
    assessment = next(iter(facts.get("ASSESSMENT", ())), None)
    return Abnormality(
        int(lines[0][0]),
        [part for line in lines if line[0] == "LESION_TYPE" for part in _categories(line[1:])],
        None if assessment is None else int(assessment),
        PATHOLOGY.get(word),
        word != UNPROVEN,
        [float(min(xs)), float(min(ys)), float(max(xs) + 1), float(max(ys) + 1)],
        [edge + 0.5 for pixel in pixels for edge in pixel],
        {
            "number": int(lines[0][0]),
            "pathology": word,
            "subtlety": next(iter(facts.get("SUBTLETY", ())), None),
            "lesion_types": [" ".join(line[1:]) for line in lines if line[0] == "LESION_TYPE"],
            "cores": [
                " ".join(_chain(lines, at)) for at, title in enumerate(titles) if title == "CORE"
            ],
        },
    )


def _chain(lines: Sequence[Sequence[str]], at: int) -> list[str]:
    """Give the words after a title, with the end of the chain."""
    words = [word for line in [lines[at][1:], *lines[at + 1 :]] for word in line]
    return words[: words.index(END) + 1] if END in words else words


def _categories(words: Sequence[str]) -> list[str]:
    """Read ``MASS SHAPE IRREGULAR-OVAL MARGINS N/A`` as its words without titles."""
    told = [part for word in words if word not in TITLES for part in word.split("-")]
    return [part.lower() for part in told if part != "N/A"]
