"""T-SYNTH and M-SYNTH as downloaded, very small: headers, numbers, voxel masks."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.sources.kit import breast

HEAD = """ObjectType = Image
NDims = {dims}
BinaryData = True
BinaryDataByteOrderMSB = False
ElementByteOrderMSB = False
ElementSpacing = 0.085 0.085
DimSize = {size}
ElementType = {kind}
ElementDataFile = {name}.raw
"""


class TSynth:
    """A small T-SYNTH: ``image`` puts one simulation."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)

    def image(self, number: int, name: str = "reconstruction", box: Any = None, **more: Any) -> str:
        """Put one image, its lesion at ``box``; words: density (breast), slices, file, mask."""
        folder = (
            f"device_data_VICTREPhantoms_spic_1.0/{more.get('density', 'fatty')}/2/5.0/SIM/"
            f"D2_5.0_1.0.{number}/{number}"
        )
        stem = f"{folder}/{name}{number}"
        pixels = breast("right", [box] if box else ()) / 4000 - 0.25
        slices = more.get("slices", 1)
        kind, dtype = ("MET_FLOAT", "<f4") if slices == 1 else ("MET_DOUBLE", "<f8")
        size = f"{pixels.shape[1]} {pixels.shape[0]}" + (f" {slices}" if slices > 1 else "")
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        head = HEAD.format(dims=2 + (slices > 1), size=size, kind=kind, name=f"{name}{number}")
        (self.root / f"{stem}.mhd").write_text(head)
        if more.get("file", True):
            data = np.repeat(pixels[None], slices, 0).astype(dtype).tobytes()
            (self.root / f"{stem}.raw").write_bytes(data)
        if box:
            (self.root / f"{stem}.loc").write_text("somewhere\n")
        if box and more.get("mask", True):
            volume = np.full((4, *pixels.shape), 29, np.uint8)
            volume[1, box[1] : box[3], box[0] : box[2] - 2] = 200
            volume[2, box[1] : box[3], box[0] + 2 : box[2]] = 200
            with h5py.File(self.root / folder / f"reconstruction_mask{number}.h5", "w") as file:
                file.create_dataset("dbt", data=volume, compression="gzip")
        return f"{stem}.raw"
