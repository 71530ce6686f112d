"""EMBED as AWS delivers it, very small: both tables and the folder of images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgray.sources.embed import EmbedSource
from tests.sources.kit import breast, put_image, put_table

EXAM, LATER = "1000000000000001", "1000000000000002"
LEFT, RIGHT = (8, 40, 18, 52), (44, 40, 56, 50)

METADATA = [
    "", "empi_anon", "acc_anon", "study_date_anon", "StudyDescription", "SeriesDescription",
    "FinalImageType", "ImageLateralityFinal", "ViewPosition", "spot_mag", "anon_dicom_path",
    "png_path", "png_filename", "num_roi", "ROI_coords", "SRC_DST", "match_level", "SeriesNumber",
    "SeriesTime", "ProtocolName",
]  # fmt: skip
CLINICAL = [
    "empi_anon", "acc_anon", "numfind", "side", "desc", "tissueden", "age_at_study",
    "total_L_find", "total_R_find", "massshape", "massmargin", "massdens", "calcfind", "calcdistri",
    "calcnumber", "otherfind", "asses", "study_date_anon", "path_group", "path_severity", "bside",
    "ETHNICITY_DESC", "cohort_num",
]  # fmt: skip
SERVER = "/mnt/NAS2/mammo/anon_dicom/"
FACES = {"L": "right", "R": "left"}
SCREEN = "MG Screening Bilat w/Tomo w/CAD"


class Embed:
    """A small EMBED: ``image`` and ``finding`` add rows, ``write`` writes the tables."""

    def __init__(self, root: Path) -> None:
        self.root, self.metadata, self.clinical = root, [], []

    def image(
        self, exam: str, side: str, kind: str = "2D", view: str = "CC", boxes: Any = (), **more: Any
    ) -> str:
        """Put an image whose findings are at ``boxes`` (dicom frame) and its row; give its path.

        Keywords in capitals are DICOM attributes, others are cells; ``file=False`` is a row alone,
        ``radius`` is the breast's.
        """
        number = len(self.metadata)
        path = f"cohort_1/{exam[:8]}/1.2.{exam}/1.2.9.{number}/1.2.8.{number}.dcm"
        tags = {
            name: more.pop(name) for name in [*more] if name[0].isupper() and name != "ROI_coords"
        }
        cells = {
            "SeriesTime": tags.pop("SeriesTime", ""),
            "SeriesNumber": tags.pop("SeriesNumber", ""),
        }
        file, radius = more.pop("file", True), more.pop("radius", 34)
        self.metadata.append({
            "": number, "empi_anon": exam[:8], "acc_anon": exam, "study_date_anon": "2013-05-04",
            "FinalImageType": kind, "ImageLateralityFinal": side, "ViewPosition": view,
            "anon_dicom_path": f"{SERVER}{path}", "num_roi": 0, "ROI_coords": "()",
            "ProtocolName": f"{side} {view} ComboHD", **cells, **more,
        })  # fmt: skip
        if file:
            first = "A" if side == "L" else "P"
            told = {
                "SOPInstanceUID": f"1.2.8.{number}",
                "StudyInstanceUID": f"1.2.{exam}",
                "ImageLaterality": side,
                "ViewPosition": view,
                "PatientOrientation": [first, "R"],
                **tags,
            }
            pixels = breast(FACES[side], boxes, seed=number, radius=radius)
            put_image(self.root / "images" / path, pixels, **told)
        return f"images/{path}"

    def finding(self, exam: str, side: str, number: int = 1, **cells: Any) -> None:
        """Add one row of the clinical table."""
        self.clinical.append({
            "empi_anon": exam[:8], "acc_anon": exam, "numfind": number, "side": side,
            "desc": SCREEN, "tissueden": "2.0", "age_at_study": "61.5", "asses": "N",
            "study_date_anon": "2013-05-04", "cohort_num": 1, **cells,
        })  # fmt: skip

    def write(self, end: str = "") -> Path:
        """Write both tables; ``_reduced`` is the end of the names of the smaller ones."""
        tables = {"metadata": (self.metadata, METADATA), "clinical": (self.clinical, CLINICAL)}
        for name, (lines, header) in tables.items():
            put_table(self.root / f"tables/EMBED_OpenData_{name}{end}.csv", lines, header)
        return self.root

    def labels(self) -> dict[str, Mapping[str, Any]]:
        """Write the tables, catalog them, and give the labels by path."""
        return {row.path: row.labels for row in EmbedSource().catalog(self.write()).rows}


def roi(*boxes: tuple[int, int, int, int]) -> str:
    """Write boxes ``x0, y0, x1, y1`` as the tables do: y, x, y, x, with a comma too many."""
    return f"({', '.join(str((y0, x0, y1, x1)) for x0, y0, x1, y1 in boxes)},)"


def mirrored(box: tuple[int, int, int, int], width: int = 64) -> tuple[int, int, int, int]:
    """The same box in the image flipped left-right."""
    return width - box[2], box[1], width - box[0], box[3]
