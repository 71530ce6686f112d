"""An exam list as NYU's tools write it, very small: a pickle, PNG files, masks."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.sources.kit import SHAPE, breast

VIEWS = ("L-CC", "R-CC", "L-MLO", "R-MLO")


class Nyu:
    """A small exam list: ``exam`` adds four pictures, ``write`` the list."""

    def __init__(self, root: Path) -> None:
        self.root, self.exams = root, []

    def exam(
        self, boxes: dict[str, Any] | None = None, flip: str = "NO", **more: Any
    ) -> dict[str, Any]:
        """Put four pictures; ``boxes`` is view to kind and box of a mask; others are listed."""
        number, boxes = len(self.exams), boxes or {}
        told: dict[str, Any] = {"horizontal_flip": flip, **more}
        for view in VIEWS:
            stem = f"{number}_{view.replace('-', '_')}"
            right = (view[0] == "L") == (flip == "NO")
            kind, box = boxes.get(view, ("", None))
            self.put(f"images/{stem}.png", "right" if right else "left", box)
            told[view] = [stem]
            if box:
                self.put_mask(f"{stem}_{kind}", box)
                told[f"{view}_{kind}_seg"] = [f"{stem}_{kind}"]
        self.exams.append(told)
        return told

    def put(self, path: str, face: str, box: Any = None) -> None:
        """Put one picture, marked at ``box``."""
        self._put(self.root / path, breast(face, [box] if box else ()) * np.uint16(16))

    def put_mask(self, stem: str, box: Any) -> None:
        """Put one mask."""
        mask = np.zeros(SHAPE, np.uint8)
        mask[box[1] : box[3], box[0] : box[2]] = 255
        self._put(self.root / "segmentation" / f"{stem}.png", mask)

    def write(self) -> Path:
        """Write the list."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "exam_list_before_cropping.pkl").write_bytes(pickle.dumps(self.exams))
        return self.root

    def _put(self, path: Path, pixels: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
