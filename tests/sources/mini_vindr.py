"""VinDr-Mammo as PhysioNet delivers it, very small: both tables and the folder of images."""

import hashlib
from pathlib import Path
from typing import Any

from pydicom import dcmread, dcmwrite
from pydicom.uid import UID

from tests.sources.kit import SHAPE, breast, put_image, put_table

BREAST = [
    "study_id", "series_id", "image_id", "laterality", "view_position", "height", "width",
    "breast_birads", "breast_density", "split",
]  # fmt: skip
FINDING = [
    *BREAST[:-1],
    "finding_categories",
    "finding_birads",
    "xmin",
    "ymin",
    "xmax",
    "ymax",
    "split",
]


class Vindr:
    """A small VinDr-Mammo: ``image`` and ``finding`` add rows, ``write`` writes the tables."""

    def __init__(self, root: Path) -> None:
        self.root, self.images, self.findings = root, [], []

    def image(self, study: str, side: str, view: str = "CC", boxes: Any = (), **more: Any) -> str:
        """Put an image with pixels marked at ``boxes``; keywords in capitals are DICOM's."""
        study = hashlib.md5(study.encode()).hexdigest()
        image = hashlib.md5(str(len(self.images)).encode()).hexdigest()
        tags = {name: more.pop(name) for name in [*more] if name[0].isupper()}
        file = more.pop("file", True)
        self.images.append({
            "study_id": study, "series_id": "s" * 32, "image_id": image, "laterality": side,
            "view_position": view, "height": SHAPE[0], "width": SHAPE[1],
            "breast_birads": "BI-RADS 1", "breast_density": "DENSITY C", "split": "training",
            **more,
        })  # fmt: skip
        path = f"images/{study}/{image}.dicom"
        if file:
            face = {"L": "right", "R": "left"}[side]
            told = {"SOPInstanceUID": f"1.2.{len(self.images)}", "ImageLaterality": side, **tags}
            put_image(self.root / path, breast(face, boxes), ViewPosition=view, **told)
            dataset = dcmread(self.root / path)
            dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.3.4")  # as it was de-identified
            dcmwrite(self.root / path, dataset)
        return path

    def finding(
        self, box: Any = None, categories: str = "['Mass']", birads: str = "BI-RADS 4"
    ) -> None:
        """Add a finding of the last image; without a box it is one of ``No Finding``."""
        cells = dict(zip(("xmin", "ymin", "xmax", "ymax"), map(float, box or ()), strict=False))
        told = {"finding_categories": categories, "finding_birads": birads}
        self.findings.append({**self.images[-1], **told, **cells})

    def write(self) -> Path:
        """Write both tables."""
        put_table(self.root / "breast-level_annotations.csv", self.images, BREAST)
        put_table(self.root / "finding_annotations.csv", self.findings, FINDING)
        return self.root
