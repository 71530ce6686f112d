"""CMMD as TCIA delivers it, very small: spreadsheet, images with the side in the header alone."""

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
from pydicom import Dataset

from tests.sources.kit import breast, put_image

HEADER = ["ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype"]
VIEWS = {"CC": "399162004", "MLO": "399368009"}


class Cmmd:
    """A small CMMD: ``image`` puts a file, ``lesion`` a row, ``write`` the spreadsheet."""

    def __init__(self, root: Path) -> None:
        self.root, self.lines, self.count = root, [], 0

    def image(self, patient: str, side: str, view: str = "CC", **tags: Any) -> str:
        """Put an image as CMMD stores it: 8 bits, sigmoid window, the view as a code alone."""
        self.count += 1
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = VIEWS[view], "SCT"
        first = {"L": "A", "R": "P"}[side]
        told = {
            "SOPInstanceUID": f"1.2.{self.count}", "PatientID": patient, "ImageLaterality": side,
            "ViewPosition": None, "ViewCodeSequence": [code], "Manufacturer": "",
            "ImageType": ["DERIVED", "PRIMARY"], "WindowCenter": 128, "WindowWidth": 256,
            "VOILUTFunction": "SIGMOID", "PatientOrientation": [first, "R"],
            "ImagerPixelSpacing": [0.0941, 0.0941], "bits_stored": 8, **tags,
        }  # fmt: skip
        pixels = breast({"L": "right", "R": "left"}[side])
        pixels = pixels * np.uint16(16) if told["bits_stored"] == 16 else (pixels // 5).astype("u1")
        path = (
            f"manifest-1/CMMD/{patient}/07-18-2010-NA-NA-79377/1.000000-NA-70244/1-{self.count}.dcm"
        )
        put_image(self.root / path, pixels, **told)
        return path

    def lesion(self, patient: str, side: str, kind: str = "Benign", **more: Any) -> None:
        """Add a row."""
        row = {"ID1": patient, "LeftRight": side, "Age": 44, "number": 2, "abnormality": "mass"}
        self.lines.append({**row, "classification": kind, **more})

    def write(self) -> Path:
        """Write the spreadsheet."""
        self.root.mkdir(parents=True, exist_ok=True)
        book = openpyxl.Workbook()
        book.active.append(HEADER)
        for line in self.lines:
            book.active.append([line.get(name) for name in HEADER])
        book.save(self.root / "CMMD_clinicaldata_revision.xlsx")
        return self.root
