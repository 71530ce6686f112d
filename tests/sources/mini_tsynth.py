"""T-SYNTH and M-SYNTH as downloaded, very small: headers, numbers, voxel masks."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mgray.sources.t_synth_files import MAMMOGRAM
from tests.sources.kit import breast

HEAD = """ObjectType = Image
NDims = {dims}
BinaryData = True
BinaryDataByteOrderMSB = False
ElementByteOrderMSB = False
ElementSpacing = 0.085 0.09 1
DimSize = {size}
ElementType = {kind}
ElementDataFile = {name}.raw
"""


class TSynth:
    """A small T-SYNTH and M-SYNTH: ``image`` and ``mammogram`` put one simulation each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)

    def image(self, number: int, box: Any = None, **more: Any) -> str:
        """Put one C-View, its lesion at ``box``, under the header of its volume.

        Words: density (breast), slices (then it is the volume), file, mask.
        """
        stem = self._stem(number, "reconstruction", more)
        pixels = simulated(box)
        slices = more.get("slices", 0)
        size = (*pixels.shape, slices or 5)
        self._head(stem, size, "MET_DOUBLE")
        if more.get("file", True):
            volume = np.repeat(pixels.T[None], slices, 0).astype("<f8")
            data = volume if slices else pixels.astype("<f4")
            (self.root / f"{stem}.raw").write_bytes(data.tobytes())
        if box:
            (self.root / f"{stem}.loc").write_text("3 4 2\n")
        if box and more.get("mask", True):
            tissue = np.full(pixels.shape, 29, np.uint8)
            tissue[box[1] : box[3], box[0] : box[2]] = 200
            path = (self.root / stem).with_name(f"reconstruction_mask{number}.h5")
            with h5py.File(path, "w") as file:
                file.create_dataset("dbt", data=tissue, compression="gzip")
        return f"{stem}.raw"

    def mammogram(self, number: int, point: Any = None, **more: Any) -> str:
        """Put one digital mammogram, whose lesion is at ``point``, x and y of the upright image.

        It is stored on its side, before a plane of something else. Words: density, dose, loc (its
        text), masks (below the folder of masks).
        """
        stem = self._stem(number, MAMMOGRAM, {"dose": "2.22e10", **more})
        box = (*point, point[0] + 1, point[1] + 1) if point else None
        stored = np.rot90(simulated(box), -1)
        self._head(stem, stored.shape[::-1], "MET_FLOAT")
        data = np.stack([stored, np.full(stored.shape, 7.0)]).astype("<f4")
        (self.root / f"{stem}.raw").write_bytes(data.tobytes())
        if point:
            (row,), (column,) = np.nonzero(np.isclose(stored, simulated(box).max()))
            text = more.get("loc", f"{row} {column} 30\n")
            (self.root / f"{stem}.loc").write_text(text)
        return f"{stem}.raw"

    def _stem(self, number: int, name: str, more: dict[str, Any]) -> str:
        dose = f"{more['dose']}/" if more.get("dose") else ""
        folder = (
            f"{'segmentation_masks' if more.get('masks') else 'device_data'}"
            f"_VICTREPhantoms_spic_1.0/{dose}{more.get('density', 'fatty')}/2/5.0/SIM/"
            f"D2_5.0_1.0.{number}/{number}"
        ).replace("segmentation_masks_VICTREPhantoms_spic_1.0", "segmentation_masks")
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        return f"{folder}/{name}{number}"

    def _head(self, stem: str, size: tuple[int, ...], kind: str) -> None:
        told = {"dims": len(size), "size": " ".join(map(str, size)), "kind": kind}
        head = HEAD.format(**told, name=stem.rpartition("/")[2])
        (self.root / f"{stem}.mhd").write_text(head)


def simulated(box: Any = None) -> np.ndarray:
    """Real numbers of an upright image."""
    return breast("right", [box] if box else ()) / 4000 - 0.25
