"""Deployment ``Detector``: the model. Images that wait together are answered together."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ray import serve
from ray.serve import Deployment

from mgray.config import fingerprint
from mgray.data.transforms import Geometry
from mgray.inference.predictor import Detection, Predictor
from mgray.inference.prepare import Prepared
from mgray.models.folder import CARD, FPPI, ModelMeta, model_sha256
from serve.answers import (
    Contributions,
    Detected,
    Found,
    ImageAnswer,
    ImageTiming,
    ModelFacts,
    Refusal,
)
from serve.decoder import Decoded
from serve.exam import image_score
from serve.facts import box_mm
from serve.model_card import ModelCard

Spacing = tuple[float, float] | None


@dataclass(frozen=True)
class _Asked:
    case: Prepared
    contributions: bool


class Detector:
    """Answer prepared images.

    Args:
        folder: Model folder.
        device: ``cpu`` or ``cuda``.
        batch_size: Images in one forward pass.
    """

    def __init__(self, folder: Path, device: str, batch_size: int) -> None:
        self.predictor = Predictor.load(folder, device, batch_size)
        self.model = model_facts(folder, self.predictor.meta)
        self.thresholds = thresholds(self.predictor.meta)
        self.card_text = (folder / CARD).read_text()
        self.predictor.detect([self._blank()])  # the first pass is slow

    def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Take other batching settings without a restart."""
        batcher: Any = self._detect  # serve.batch adds the setters
        batcher.set_max_batch_size(settings["max_batch_size"])
        batcher.set_batch_wait_timeout_s(settings["batch_wait_timeout_s"])

    async def __call__(
        self, decoded: Decoded | Refusal, contributions: bool = False
    ) -> Detected | Refusal:
        """Detect on one image; a refusal passes through."""
        if isinstance(decoded, Refusal):
            return decoded
        started = time.perf_counter()
        found, halves = await self._detect(_Asked(decoded.prepared, contributions))
        detect_ms = (time.perf_counter() - started) * 1000
        spacing = decoded.image.pixel_spacing_mm
        detections = _told(found, spacing)
        answer = ImageAnswer(
            image=decoded.image,
            score=image_score(detections),
            detections=detections,
            contributions=halves
            and Contributions(a=_told(halves[0], spacing), b=_told(halves[1], spacing)),
            warnings=decoded.warnings,
            preprocessing=decoded.preprocessing,
            timing_ms=ImageTiming(decode=decoded.decode_ms, detect=detect_ms),
        )
        return Detected(answer, self.model, self.thresholds, decoded.study)

    def card(self) -> ModelCard:
        """Tell which model this is, in its own words."""
        return ModelCard(**self.model.model_dump(), card=self.card_text)

    @serve.batch
    async def _detect(self, asked: list[_Asked]) -> list[Any]:
        return await asyncio.to_thread(self._answer, asked)

    def _answer(self, asked: Sequence[_Asked]) -> list[Any]:
        """Detections of each, and with the halves of the representation where wanted."""
        found = self.predictor.detect([one.case for one in asked])
        return [
            (boxes, self.predictor.contributions(one.case) if one.contributions else None)
            for boxes, one in zip(found, asked, strict=True)
        ]

    def _blank(self) -> Prepared:
        config = self.predictor.preprocess
        size = (config.net_height, config.net_width)
        plane = np.zeros(size, np.float32)
        planes = {str(kind): plane for kind in self.predictor.meta.inputs}
        return Prepared(planes, Geometry((1.0, 1.0), (0.0, 0.0), size), *size)


def model_facts(folder: Path, meta: ModelMeta) -> ModelFacts:
    """Name a model by its folder and the hash of its weights."""
    sha256 = model_sha256(folder)
    return ModelFacts(
        id=folder.name, version=sha256[:12], sha256=sha256, config_fingerprint=fingerprint(meta)
    )


def thresholds(meta: ModelMeta) -> dict[str, float]:
    """Read the operating points by false positives per image, the fewest first."""
    return {
        f"{fppi:g}": meta.thresholds[key] for fppi, key in FPPI.items() if key in meta.thresholds
    }


def _told(found: Sequence[Detection], spacing: Spacing) -> list[Found]:
    return [
        Found(box=one.box, box_mm=box_mm(one.box, spacing), score=one.score, label=one.label)
        for one in found
    ]


DETECTOR: Final[Deployment] = serve.deployment(
    max_ongoing_requests=16,
    ray_actor_options={"num_cpus": 0.5},
    autoscaling_config={"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 4},
    health_check_period_s=5,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Detector)
