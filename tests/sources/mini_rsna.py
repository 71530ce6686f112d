"""RSNA as Kaggle delivers it, very small: train.csv and its folder of images."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.sources.kit import breast, put_image, put_table

HEADER = [
    "site_id", "patient_id", "image_id", "laterality", "view", "age", "cancer", "biopsy",
    "invasive", "BIRADS", "implant", "density", "machine_id", "difficult_negative_case",
]  # fmt: skip


class Rsna:
    """A small RSNA: ``image`` adds a file and its row, ``write`` writes the table."""

    def __init__(self, root: Path) -> None:
        self.root, self.lines = root, []

    def image(self, patient: int, side: str, view: str = "CC", **more: Any) -> str:
        """Put an image and its row; keywords in capitals are DICOM attributes, but BIRADS."""
        number = 1_000_000 + len(self.lines)
        tags = {name: more.pop(name) for name in [*more] if name[0].isupper() and name != "BIRADS"}
        file, face = more.pop("file", True), more.pop("face", {"L": "right", "R": "left"}[side])
        self.lines.append({
            "site_id": 1, "patient_id": patient, "image_id": number, "laterality": side,
            "view": view, "age": "61.0", "cancer": 0, "biopsy": 0, "invasive": 0, "BIRADS": "1.0",
            "implant": 0, "density": "B", "machine_id": 49, "difficult_negative_case": "False",
            **more,
        })  # fmt: skip
        path = f"train_images/{patient}/{number}.dcm"
        if file:
            told = {"SOPInstanceUID": f"1.2.{number}", "ImageLaterality": side, **tags}
            pixels = breast(face, seed=number)
            if tags.get("PhotometricInterpretation") == "MONOCHROME1":
                pixels = np.uint16(4095) - pixels  # air is high there
            put_image(self.root / path, pixels, **told)
        return path

    def write(self) -> Path:
        """Write train.csv."""
        put_table(self.root / "train.csv", self.lines, HEADER)
        return self.root
