"""INbreast as its authors delivered it, very small: spreadsheet, images, OsiriX property lists."""

import plistlib
from pathlib import Path
from typing import Any

import xlwt

from tests.sources.kit import breast, put_image, put_table

EIGHT = ("Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR",
         "Bi-Rads")  # fmt: skip
"""Columns of the CSV as its authors delivered it."""
HEADER = [
    "Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR",
    "Bi-Rads", "Mass ", "Micros", "Distortion", "Asymmetry", "Findings Notes (in Portuguese)",
    "Other Notes", "Lesion Annotation Status", "Pectoral Muscle Annotation", "Other Annotations",
]  # fmt: skip


class Inbreast:
    """A small INbreast: ``image`` adds a file, its row and contours; ``write`` the table."""

    def __init__(self, root: Path) -> None:
        self.root, self.lines = root, []

    def image(
        self, side: str = "L", view: str = "MLO", patient: str = "6c613a14b80a8591", **more: Any
    ) -> str:
        """Put an image, marked at ``boxes``, with ``regions`` of name and points, and its row."""
        name = 22678622 + len(self.lines)
        boxes, regions = more.pop("boxes", ()), more.pop("regions", None)
        file = more.pop("file", True)
        self.lines.append({
            "Patient ID": "removed", "Patient age": "removed", "Laterality": side, "View": view,
            "Acquisition date": 200801.0, "File Name": float(name), "ACR": 2.0, "Bi-Rads": 2.0,
            "Mass ": " ", "Findings Notes (in Portuguese)": "nódulo", **more,
        })  # fmt: skip
        path = f"AllDICOMs/{name}_{patient}_MG_{side}_{'ML' if view == 'MLO' else view}_ANON.dcm"
        if file:
            told = {"SOPInstanceUID": f"1.2.{name}", "PatientID": "", "ImageLaterality": side}
            pixels = breast({"L": "right", "R": "left"}[side], boxes, seed=name)
            put_image(self.root / path, pixels, ViewPosition="ML", **told)
        if regions is not None:
            self.contours(name, regions)
        return path

    def contours(self, name: int, regions: list[tuple[str, list[tuple[float, float]]]]) -> None:
        """Write the property list of one image."""
        found = [
            {"Name": kind, "NumberOfPoints": len(points), "IndexInImage": number,
             "Point_px": [f"({x}, {y})" for x, y in points], "Point_mm": [], "Area": 0.25}
            for number, (kind, points) in enumerate(regions)
        ]  # fmt: skip
        path = self.root / "AllXML" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plistlib.dumps({"Images": [{"ImageIndex": 0, "ROIs": found}]}))

    def muscle(self, name: int, folder: str = "PectoralMuscle", listed: bool = False) -> Path:
        """Write the pectoral muscle of one image, as a region or as a list of ROIPoints."""
        points = corners(0, 0, 30, 20)
        told: dict[str, Any] = {"ROIPoints": [f"{{{x}, {y}}}" for x, y in points]}
        if not listed:
            region = {"Name": "Pectoral Muscle", "Point_px": [f"({x}, {y})" for x, y in points]}
            told = {"Images": [{"ImageIndex": 0, "ROIs": [region]}]}
        path = self.root / folder / f"{name}{'_muscle' if folder != 'AllXML' else ''}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plistlib.dumps(told))
        return path

    def write(self, suffix: str = "xls") -> Path:
        """Write the table: the spreadsheet with its blank and totals rows, or the CSV."""
        self.root.mkdir(parents=True, exist_ok=True)
        if suffix == "csv":
            path = self.root / "INbreast.csv"
            lines = [{name: line.get(name, "") for name in EIGHT} for line in self.lines]
            put_table(path, lines, EIGHT, "\r\n", ";", "latin-1")
            return self.root
        book = xlwt.Workbook()
        sheet = book.add_sheet("Sheet1")
        totals = {"Mass ": 108.0, "Micros": 308.0, "Distortion": 3.0, "Asymmetry": 14.0}
        names = dict(zip(HEADER, HEADER, strict=True))
        for at, line in enumerate([names, *self.lines, {}, totals]):
            for column, name in enumerate(HEADER):
                if line.get(name, "") != "":
                    sheet.write(at, column, line[name])
        book.save(str(self.root / "INbreast.xls"))
        return self.root


def corners(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    """A box as a contour of four points."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
