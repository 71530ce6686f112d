"""BCS-DBT as TCIA delivers it, very small: tables of each split and multi-frame files."""

from pathlib import Path
from typing import Any

from pydicom import Dataset

from tests.sources.kit import SHAPE, breast, put_table, put_volume

CLASSES = ("Normal", "Actionable", "Benign", "Cancer")
TYPE = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
EDGE = 2500


class BcsDbt:
    """A small BCS-DBT: ``volume`` and ``box`` add rows, ``write`` writes the tables.

    Args:
        root: Of the archive.
        release: End of the tables' names.
        classic: Files lie under their classic path, else under the descriptive one.
    """

    def __init__(self, root: Path, release: str = "-v2", classic: bool = False) -> None:
        self.root, self.release, self.classic = root, release, classic
        self.paths: dict[str, list[dict[str, Any]]] = {}
        self.labels: dict[str, list[dict[str, Any]]] = {}
        self.boxes: dict[str, list[dict[str, Any]]] = {}
        self.count = 0

    def volume(
        self, view: str = "lcc", label: str = "Normal", **more: Any
    ) -> tuple[str, dict[str, str]]:
        """Put a volume of ``frames`` slices; give its path and key.

        Keywords: patient, split, ``turned`` (stored upside down), ``box`` and ``at`` (a finding in
        upright pixels on one slice), ``odd`` (slices with a bright edge beyond the breast: by their
        own edges they would face the other side), ``file``; keywords in capitals are DICOM's.
        """
        self.count += 1
        split, patient = more.get("split", "train"), more.get("patient", f"DBT-P{self.count:05}")
        key = {"PatientID": patient, "StudyUID": f"DBT-S{self.count:05}", "View": view}
        descriptive = (
            f"Breast-Cancer-Screening-DBT/{patient}/01-01-2000-{key['StudyUID']}-MAMMO diag-9/"
            f"{self.count}.000000-NA-94942/1-1.dcm"
        )
        classic = f"{patient}/1.2.8.{self.count}/1.2.9.{self.count}/000000.dcm"
        told = {"descriptive_path": descriptive, "classic_path": classic}
        self.paths.setdefault(split, []).append({**key, **told})
        held = {name: int(name == label) for name in CLASSES}
        self.labels.setdefault(split, []).append({**key, **held})
        path = (
            f"Breast-Cancer-Screening-DBT/{classic}"
            if self.classic
            else f"manifest-1/{descriptive}"
        )
        if more.get("file", True):
            self._put(path, view, more)
        return path, {**key, "split": split}

    def _put(self, path: str, view: str, more: dict[str, Any]) -> None:
        box, at = more.get("box"), more.get("at", 1)
        face = {"l": "right", "r": "left"}[view[0]]
        frames = [
            breast(face, [box] if box and number == at else (), seed=number)
            for number in range(more.get("frames", 3))
        ]
        for number in more.get("odd", ()):
            frames[number][:, {"right": -1, "left": 0}[face]] = EDGE
        if more.get("turned"):
            frames = [frame[::-1, ::-1] for frame in frames]
        told = {
            "SOPInstanceUID": f"1.2.{self.count}", "ImageLaterality": "L", "ImageType": TYPE,
            "ViewPosition": None, "ImagerPixelSpacing": None, "WindowCenter": None,
            "WindowWidth": None, "SharedFunctionalGroupsSequence": [window(700, 1100)],
            **{name: value for name, value in more.items() if name[0].isupper()},
        }  # fmt: skip
        put_volume(self.root / path, frames, **told)

    def box(
        self, key: dict[str, str], box: tuple[int, int, int, int], at: int = 1, kind: str = "cancer"
    ) -> None:
        """Add a box ``x0, y0, x1, y1`` in upright pixels on one slice."""
        x0, y0, x1, y1 = box
        row = {name: key[name] for name in ("PatientID", "StudyUID", "View")}
        self.boxes.setdefault(key["split"], []).append({
            **row, "Subject": row["PatientID"], "Slice": at, "X": x0, "Y": y0, "Width": x1 - x0,
            "Height": y1 - y0, "Class": kind, "AD": 0, "VolumeSlices": 3,
        })  # fmt: skip

    def write(self) -> Path:
        """Write the tables."""
        for what, tables in (
            ("file-paths", self.paths), ("labels", self.labels), ("boxes", self.boxes),
        ):  # fmt: skip
            for split, lines in tables.items():
                put_table(self.root / f"BCS-DBT {what}-{split}{self.release}.csv", lines)
        return self.root


def window(center: int, width: int) -> Dataset:
    """Functional groups that hold a window, where Duke's headers have it."""
    voi, group = Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = center, width
    group.FrameVOILUTSequence = [voi]
    return group


def upside_down(box: tuple[int, int, int, int], shape: tuple[int, int] = SHAPE) -> list[float]:
    """The same box in the image turned by 180 degrees."""
    x0, y0, x1, y1 = box
    return [float(shape[1] - x1), float(shape[0] - y1), float(shape[1] - x0), float(shape[0] - y0)]
