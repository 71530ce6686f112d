"""DDSM as its server has it: a case's .ics, images, decoded or in lossless JPEG, overlays."""

import sys
from pathlib import Path
from typing import Any

import imagecodecs

from tests.sources.kit import SHAPE, breast

DIGITIZERS = {"A": "DBA 21", "B": "LUMISYS LASER", "C": "LUMISYS LASER", "D": "HOWTEK 43"}


WORKS = """
import imagecodecs
name = sys.argv[3]
pixels = imagecodecs.ljpeg_decode(open(name, "rb").read())
open(name + ".1", "wb").write(pixels.astype(">u2").tobytes())
"""
"""What the Stanford decoder does: big-endian numbers without a header beside the file."""


class Ddsm:
    """A small DDSM: ``case`` begins one, ``image`` adds to it, ``write`` writes the .ics files."""

    def __init__(self, root: Path) -> None:
        self.root, self.cases = root, {}

    def case(self, name: str = "B-3024-1", volume: str = "cancers/cancer_01", **more: str) -> str:
        """Begin a case in one of the volumes."""
        words = more.get("digitizer", DIGITIZERS[name[0]])
        self.cases[name] = (f"{volume}/case{name[2:6]}", [
            "ics_version 1.0", f"filename {name}", "DATE_OF_STUDY 2 7 1995", "PATIENT_AGE 42",
            "FILM ", "FILM_TYPE REGULAR", "DENSITY 4", "DATE_DIGITIZED 7 22 1997",
            f"DIGITIZER {words}", "SELECTED",
        ])  # fmt: skip
        return name

    def image(
        self, case: str, view: str = "LEFT_CC", overlay: str | None = None, **more: Any
    ) -> str:
        """Put an image of the last case, marked at ``boxes``.

        Keywords: ``end`` of its file's name, ``put`` false leaves an overlay out that is told of.
        """
        folder, lines = self.cases[case]
        said = "OVERLAY" if overlay is not None else "NON_OVERLAY"
        bits = 16 if case[0] == "A" else 12
        size = f"LINES {SHAPE[0]} PIXELS_PER_LINE {SHAPE[1]} BITS_PER_PIXEL {bits}"
        lines.append(f"{view} {size} RESOLUTION 50 {said}")
        stem = f"{folder}/{case.replace('-', '_')}.{view}"
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        end = more.get("end", ".LJPEG.1")
        if end:
            pixels = breast({"L": "right", "R": "left"}[view[0]], more.get("boxes", ()))
            data = pixels.astype(">u2").tobytes()
            if end == ".LJPEG":
                data = imagecodecs.ljpeg_encode(pixels, bitspersample=bits)
            (self.root / f"{stem}{end}").write_bytes(data)
        if overlay is not None and more.get("put", True):
            (self.root / f"{stem}.OVERLAY").write_text(overlay)
        return f"{stem}{end}"

    def write(self) -> Path:
        """Write the .ics files."""
        for name, (folder, lines) in self.cases.items():
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            (self.root / folder / f"{name}.ics").write_text("\n".join(lines) + "\n")
        return self.root


def decoder(path: Path, does: str = WORKS) -> Path:
    """Write a program that is called as the Stanford decoder is; ``does`` is its Python."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\nassert sys.argv[1:3] == ['-d', '-s']\n{does}\n"
    )
    path.chmod(0o755)
    return path


def chain(x0: int, y0: int, x1: int, y1: int) -> str:
    """The border of a half-open box as a chain code, clockwise from its top left pixel."""
    right, down = [2] * (x1 - x0 - 1), [4] * (y1 - y0 - 1)
    codes = right + down + [6] * len(right) + [0] * (len(down) - 1)
    return " ".join(map(str, [x0, y0, *codes])) + " #"


def overlay(*findings: dict[str, Any]) -> str:
    """An .OVERLAY file; keys: chain, pathology, assessment, lesions."""
    lines = [f"TOTAL_ABNORMALITIES {len(findings)}"]
    for number, one in enumerate(findings, 1):
        lines += [f"ABNORMALITY {number}"]
        default = ["LESION_TYPE MASS SHAPE IRREGULAR MARGINS SPICULATED"]
        lines += one.get("lesions", default)
        lines += [f"ASSESSMENT {one.get('assessment', 5)}", "SUBTLETY 3"]
        lines += [f"PATHOLOGY {one.get('pathology', 'MALIGNANT')}", "TOTAL_OUTLINES 2 ", "BOUNDARY"]
        lines += [one["chain"], "\tCORE", "10 10 2 2 #"]
    return "\n".join(lines) + "\n"
