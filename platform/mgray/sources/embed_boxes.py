"""EMBED's boxes: numbers in fours, ``y, x, y, x``, nested by release.

``match_level`` tells of each how it came onto its image: 1, drawn on a screen save of it; 2, taken
over from the other kind of image of the view, which is noisier.
"""

import re
from collections.abc import Iterator
from typing import Final

from mgray.sources.cells import Cells

NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
Box = tuple[float, float, float, float]
"""``x0, y0, x1, y1``."""


def read_boxes(cells: Cells) -> Iterator[Box]:
    """Read ``ROI_coords``: ``y, x, y, x`` in any nesting becomes ``x0, y0, x1, y1``.

    Args:
        cells: Of an image.

    Raises:
        ConfigError: The numbers do not come in fours.
    """
    numbers = [float(number) for number in NUMBER.findall(cells.text("ROI_coords") or "")]
    if len(numbers) % 4:
        raise cells.fault("ROI_coords", "numbers in fours (y, x, y, x)")
    for at in range(0, len(numbers), 4):
        y0, x0, y1, x1 = numbers[at : at + 4]
        yield min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def levels_of(boxes: list[Box], text: str | None) -> dict[Box, str | None]:
    """Tell the level of each box; a box that is given twice has the better one.

    Levels stand in the order of the boxes, or one stands for all; else nobody knows.

    Args:
        boxes: As read, doubles too.
        text: ``match_level``.
    """
    told = NUMBER.findall(text or "")
    if len(set(told)) == 1:
        told = told[:1] * len(boxes)
    if len(told) != len(boxes):
        return dict.fromkeys(boxes)
    worst_first = sorted(zip(boxes, told, strict=True), key=lambda pair: pair[1], reverse=True)
    best = dict(worst_first)
    return {box: best[box] for box in dict.fromkeys(boxes)}
