"""OMI-DB as it is delivered, very small: a folder of JSON and one of images for each client."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.sources.kit import MARK, breast, put_image


class Omi:
    """A small OMI-DB: ``image`` and ``opinion`` add to a client, ``write`` writes the JSON."""

    def __init__(self, root: Path, upper: bool = False) -> None:
        self.root, self.upper = root, upper
        self.imagedb: dict[str, dict[str, Any]] = {}
        self.nbss: dict[str, dict[str, Any]] = {}
        self.count = 0

    def image(self, client: str = "optm1", side: str = "L", episode: str = "7", **more: Any) -> str:
        """Put an image, marked at ``boxes``, with ``marks`` of its imagedb; give its path."""
        self.count += 1
        study, series, sop = f"1.2.{episode}", "1.2.3", f"1.2.4.{self.count}"
        studies = self.imagedb.setdefault(client, {"Site": "adde", "STUDIES": {}})["STUDIES"]
        day = more.pop("day", "2012-01-05")
        told = studies.setdefault(study, {"EpisodeID": episode, "StudyDate": day})
        marks = more.pop("marks", None)
        told.setdefault(series, {})[sop] = (
            {mark["MarkID"]: mark for mark in marks} if marks else "image without marks"
        )
        path = f"images/{client}/{study}/{sop}.dcm"
        boxes, file = more.pop("boxes", ()), more.pop("file", True)
        if file:
            face, radius = {"L": "right", "R": "left"}[side], more.pop("radius", 34)
            pixels = shaded(breast(face, boxes, radius=radius))
            tags = {
                "SOPInstanceUID": sop, "StudyInstanceUID": study, "ImageLaterality": side,
                "ImageType": ["DERIVED", "SECONDARY"], "BurnedInAnnotation": "NO",
                "PixelPaddingValue": 0, **more,
            }  # fmt: skip
            put_image(self.root / path, pixels, **tags)
        return path

    def opinion(self, event: str, side: str, lesion: str, opinion: str, **more: Any) -> None:
        """Say the opinion of an event of a lesion: client, episode, day."""
        client, episode = more.get("client", "optm1"), more.get("episode", "7")
        found = self.nbss.setdefault(client, {"ClientID": client}).setdefault(
            episode, {"EpisodeType": "R", "EpisodeIsClosed": "Y"}
        )
        where = found.setdefault(event, {}).setdefault(side, {}).setdefault(lesion, {})
        where["Opinion"] = opinion
        where |= {"DatePerformed": more["day"]} if "day" in more else {}

    def side_opinion(self, event: str, side: str, opinion: str) -> None:
        """Say the opinion of an event of a whole side, a word; the other side's is null."""
        found = self.nbss.setdefault("optm1", {}).setdefault("7", {"EpisodeType": "R"})
        told = found.setdefault(event, {})
        for name, word in (("left_opinion", "L"), ("right_opinion", "R")):
            told[name] = opinion if word == side else told.get(name)

    def write(self) -> Path:
        """Write the JSON files."""
        for what, clients in (("imagedb", self.imagedb), ("nbss", self.nbss)):
            for client, found in clients.items():
                name = f"{what.upper() if self.upper else what}_{client}.json"
                path = self.root / "data" / client / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(found))
        return self.root


def shaded(pixels: np.ndarray) -> np.ndarray:
    """Give the tissue a range of greys, as real breasts have: all of the air is padding here."""
    tissue = (pixels > 0) & (pixels < MARK)
    ramp = 20 * np.arange(pixels.shape[0], dtype=np.uint16)[:, None]
    return np.where(tissue, pixels - np.uint16(900) + ramp, pixels)


def mark(x1: int, y1: int, x2: int, y2: int, lesions: str = "1", **more: Any) -> dict[str, Any]:
    """A mark as the imagedb has it."""
    corners = {"X1": str(x1), "Y1": str(y1), "X2": str(x2), "Y2": str(y2)}
    return {"MarkID": "11", **corners, "LinkedNBSSLesionNumber": lesions, "Mass": "1", **more}
