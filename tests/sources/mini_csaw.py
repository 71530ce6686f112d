"""CSAW-CC as Karolinska delivers it, very small: one table, images, some masks."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.sources.kit import SHAPE, breast, put_image, put_table

HEADER = [
    "anon_patientid", "exam_year", "x_age", "x_case", "x_cancer_laterality", "x_type",
    "x_lymphnode_met", "rad_timing", "rad_r1", "rad_r2", "rad_recall", "rad_recall_type_right",
    "rad_recall_type_left", "imagelaterality", "viewposition", "libra_breastarea",
    "libra_densearea", "libra_percentdensity", "anon_filename",
]  # fmt: skip
SIDES = {"L": "Left", "R": "Right"}


class Csaw:
    """A small CSAW-CC: ``image`` adds a file, its row and perhaps its mask."""

    def __init__(self, root: Path, delimiter: str = ",") -> None:
        self.root, self.delimiter, self.lines = root, delimiter, []

    def image(
        self, woman: int, side: str = "L", view: str = "CC", box: Any = None, **more: Any
    ) -> str:
        """Put an image, marked and masked at ``box``, and its row; capitals are DICOM's."""
        name = f"{woman:05}_20990909_{side}_{view}_{len(self.lines)}.dcm"
        file = more.pop("file", True)
        tags = {name: more.pop(name) for name in [*more] if name[0].isupper()}
        self.lines.append({
            "anon_patientid": f"{woman:05}", "exam_year": 2010, "x_age": 1, "x_case": 0,
            "imagelaterality": SIDES[side], "viewposition": view, "libra_percentdensity": 17.25,
            "anon_filename": name, **more,
        })  # fmt: skip
        if file:
            pixels = breast({"L": "right", "R": "left"}[side], [box] if box else ())
            told = {"SOPInstanceUID": f"1.2.{len(self.lines)}", "ImageLaterality": side, **tags}
            put_image(self.root / "images" / name, pixels, ViewPosition=view, **told)
        if box:
            mask = np.zeros(SHAPE, np.uint8)
            mask[box[1] : box[3], box[0] : box[2]] = 255
            Image.fromarray(mask).save(self.root / "images" / name.replace(".dcm", "_mask.png"))
        return f"images/{name}"

    def write(self) -> Path:
        """Write the table."""
        path = self.root / "CSAW-CC_breast_cancer_screening_data.csv"
        put_table(path, self.lines, HEADER, delimiter=self.delimiter)
        return self.root
