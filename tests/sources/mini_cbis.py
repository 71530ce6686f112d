"""CBIS-DDSM in its three layouts, very small; path cells, names and numbers as delivered."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.sources.kit import SHAPE, breast, put_image, put_table

MASS = [
    "patient_id", "breast_density", "left or right breast", "image view", "abnormality id",
    "abnormality type", "mass shape", "mass margins", "assessment", "pathology", "subtlety",
    "image file path", "cropped image file path", "ROI mask file path",
]  # fmt: skip
CALC = [
    "patient_id", "breast density", "left or right breast", "image view", "abnormality id",
    "abnormality type", "calc type", "calc distribution", "assessment", "pathology", "subtlety",
    "image file path", "cropped image file path", "ROI mask file path",
]  # fmt: skip
HEADERS = {"mass": MASS, "calc": CALC}
NAMES = {"mass": "Mass", "calc": "Calc", "train": "Training", "test": "Test"}
ROOT = "1.3.6.1.4.1.9590.100.1.2"
WHAT = ("full mammogram images", "cropped images", "ROI mask images")


class Cbis:
    """A small CBIS-DDSM: ``film`` puts an image, ``abnormality`` its findings, ``write`` tables.

    Args:
        root: Of the archive.
        layout: nbia, series or jpeg.
        described: The series of cut-out and mask can be told by description.
    """

    def __init__(self, root: Path, layout: str = "nbia", described: bool = True) -> None:
        self.root, self.layout, self.described = root, layout, described
        self.lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.info: list[dict[str, str]] = []
        self.series = 0
        self.film_of: dict[str, tuple[str, dict[str, Any]]] = {}

    def film(
        self, patient: str = "P_00001", *, kind: str = "mass", split: str = "train", **more: Any
    ) -> str:
        """Put a full mammogram, of ``side``, ``view``, marked at ``boxes``; give its PatientID."""
        side, view = more.get("side", "LEFT"), more.get("view", "CC")
        boxes, file = more.get("boxes", ()), more.get("file", True)
        case = f"{NAMES[kind]}-{NAMES[split]}_{patient}_{side}_{view}"
        face = {"LEFT": "right", "RIGHT": "left"}[side]
        pixels = breast(face, boxes) * np.uint16(16)
        path = self._put(case, WHAT[0], [(WHAT[0], pixels, 16)] if file else [])
        cells = {
            "patient_id": patient, "left or right breast": side, "image view": view,
            "image file path": path, "kind": kind, "split": split,
        }  # fmt: skip
        self.film_of[case] = (case, cells)
        return case

    def abnormality(
        self,
        case: str,
        box: tuple[int, int, int, int] | None,
        shape: tuple[int, int] = SHAPE,
        one_series: bool = True,
        swapped: bool = False,
        number: int = 1,
        **cells: Any,
    ) -> None:
        """Add a finding of a film: its row, its cut-out and its mask (none if ``box`` is None).

        Args:
            case: As given by ``film``.
            box: Set pixels of the mask, in a mask of ``shape``.
            shape: Height, width of the mask.
            one_series: Cut-out and mask lie in one series, else in two.
            swapped: The cells of cut-out and mask name each other's file.
            number: Abnormality id.
            cells: Others of the row; ``bits`` are the mask's.
        """
        bits = cells.pop("bits", 8)
        film = dict(self.film_of[case][1])
        kind, split = film.pop("kind"), film.pop("split")
        crop = mask = ""
        if box is not None:
            set_ = np.zeros(shape, {8: np.uint8, 16: np.uint16}[bits])
            set_[box[1] : box[3], box[0] : box[2]] = 2**bits - 1
            cut = np.random.default_rng(0).integers(1, 60000, (12, 10)).astype(np.uint16)
            both = [(WHAT[1], cut, 16), (WHAT[2], set_, bits)]
            if one_series:
                crop = self._put(f"{case}_{number}", WHAT[2], both)
                mask = crop.replace("000000", "000001")
            else:
                crop, mask = (self._put(f"{case}_{number}", one[0], [one]) for one in both)
            crop, mask = (mask, crop) if swapped else (crop, mask)
        more = {"mass shape": "OVAL", "mass margins": "CIRCUMSCRIBED"}
        if kind == "calc":
            more = {"calc type": "PLEOMORPHIC", "calc distribution": "N/A"}
        name = {"mass": "breast_density", "calc": "breast density"}[kind]
        line = {
            name: 3, "abnormality id": number, "assessment": 4, "pathology": "BENIGN",
            "abnormality type": "mass" if kind == "mass" else "calcification", "subtlety": 5,
            **more, **film,
            "cropped image file path": crop + "\n", "ROI mask file path": mask + "\n", **cells,
        }  # fmt: skip
        self.lines.setdefault((kind, split), []).append(line)

    def write(self) -> Path:
        """Write the tables, with their newlines inside path cells."""
        folder = self.root / ("csv" if self.layout == "jpeg" else "")
        for (kind, split), lines in self.lines.items():
            path = folder / f"{kind}_case_description_{split}_set.csv"
            put_table(path, lines, HEADERS[kind])
        if self.layout == "jpeg":
            put_table(
                folder / "dicom_info.csv",
                self.info,
                ["file_path", "image_path", "SeriesDescription"],
            )
        return self.root

    def _put(self, case: str, what: str, files: list[tuple[str, np.ndarray, int]]) -> str:
        """Put the files of one series; give the path cell of the first, counted from 000000."""
        self.series += 1
        study, series = f"{ROOT}.1.{self.series}", f"{ROOT}.2.{self.series}"
        for number, (description, pixels, bits) in enumerate(files, 1):
            if self.layout == "jpeg":
                self._put_jpeg(series, number, description, pixels, bits)
                continue
            folder = self.root / series
            if self.layout == "nbia":
                told = what if self.described else "series"
                folder = self.root / "manifest-1" / "CBIS-DDSM" / case
                folder = folder / f"07-20-2016-DDSM-NA-{self.series:05}"
                folder = folder / f"1.000000-{told}-{self.series:05}"
            attributes = {
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ImageLaterality": None,
                "ViewPosition": None, "PresentationIntentType": None, "ConversionType": "WSD",
                "ImageType": ["DERIVED", "SECONDARY"], "PatientID": case,
                "SOPInstanceUID": f"{ROOT}.3.{self.series}.{number}", "SeriesInstanceUID": series,
                "SeriesDescription": description, "bits_stored": bits,
            }  # fmt: skip
            put_image(folder / f"1-{number}.dcm", pixels, **attributes)
        return f"{case}/{study}/{series}/000000.dcm"

    def _put_jpeg(self, series: str, number: int, what: str, pixels: np.ndarray, bits: int) -> None:
        path = self.root / "jpeg" / series / f"{number}-{number + 100}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        eight = (pixels >> (bits - 8)).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(eight).save(buffer, "JPEG", quality=95)
        path.write_bytes(buffer.getvalue())
        name = "" if not self.described else what
        where = f"CBIS-DDSM/jpeg/{series}/{path.name}"
        self.info.append({"file_path": "x", "image_path": where, "SeriesDescription": name})
