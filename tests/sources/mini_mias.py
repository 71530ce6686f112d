"""mini-MIAS as delivered: PGM pictures of 1024 x 1024 and Info.txt with its prose."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.sources.kit import breast

SIDE = 1024
PROSE = """                    MIAS MiniMammographic Database

INFORMATION: This file lists the films in the MIAS database and provides
appropriate details as follows:

    1st column: MIAS database reference number.
    2nd column: Character of background tissue:

NOTES:
  1)  The list is arranged in pairs of films, where each pair represents the left (even
      filename numbers) and right mammograms (odd filename numbers) of a single patient.

"""


class MiniMias:
    """A small mini-MIAS: ``image`` puts a picture and its rows, ``write`` writes Info.txt."""

    def __init__(self, root: Path) -> None:
        self.root, self.lines = root, []

    def image(self, number: int, *rows: str, **more: Any) -> str:
        """Put a picture, marked at ``box``, and its rows without their name."""
        name = f"mdb{number:03}"
        self.lines += [f"{name} {row}" for row in rows or ("G NORM",)]
        if more.get("file", True):
            face = more.get("face", "right" if number % 2 == 0 else "left")
            box = more.get("box")
            pixels = breast(face, [box] if box else (), (SIDE, SIDE), radius=480)
            eight = (pixels // 16).astype(np.uint8)
            self.root.mkdir(parents=True, exist_ok=True)
            head = f"P5\n{SIDE} {SIDE}\n255\n".encode()
            (self.root / f"{name}.pgm").write_bytes(head + eight.tobytes())
        return f"{name}.pgm"

    def write(self) -> Path:
        """Write Info.txt."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "Info.txt").write_text(PROSE + "\n".join(self.lines) + "\n")
        return self.root
