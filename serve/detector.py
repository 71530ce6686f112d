"""Deployment ``Detector``: the model. Images that wait together are answered together."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from ray import serve
from ray.serve import Deployment

from mgray.data.transforms import Geometry
from mgray.inference.predictor import Detection, Predictor
from mgray.inference.prepare import Prepared
from mgray.models.folder import model_sha256
from serve.answers import Answer, Found, ModelFacts, Refusal, Timing
from serve.decoder import Decoded

OPERATING_POINT: Final = "fppi_1"  # of the model folder's thresholds


class Detector:
    """Answer prepared images.

    Args:
        folder: Model folder.
        device: ``cpu`` or ``cuda``.
        batch_size: Images in one forward pass.
    """

    def __init__(self, folder: Path, device: str, batch_size: int) -> None:
        self.predictor = Predictor.load(folder, device, batch_size)
        self.model = ModelFacts(id=folder.name, sha256=model_sha256(folder))
        self.threshold = self.predictor.meta.thresholds.get(OPERATING_POINT)
        self.predictor.detect([self._blank()])  # the first pass is slow

    def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Take other batching settings without a restart."""
        batcher: Any = self._detect  # serve.batch adds the setters
        batcher.set_max_batch_size(settings["max_batch_size"])
        batcher.set_batch_wait_timeout_s(settings["batch_wait_timeout_s"])

    async def __call__(self, decoded: Decoded | Refusal) -> Answer | Refusal:
        """Detect on one image; a refusal passes through."""
        if isinstance(decoded, Refusal):
            return decoded
        started = time.perf_counter()
        found = await self._detect(decoded.prepared)
        detect_ms = (time.perf_counter() - started) * 1000
        return Answer(
            image=decoded.image,
            model=self.model,
            detections=[Found(box=one.box, score=one.score, label=one.label) for one in found],
            threshold=self.threshold,
            warnings=decoded.warnings,
            timing_ms=Timing(decode=decoded.decode_ms, detect=detect_ms),
        )

    @serve.batch
    async def _detect(self, cases: list[Prepared]) -> list[list[Detection]]:
        return await asyncio.to_thread(self.predictor.detect, cases)

    def _blank(self) -> Prepared:
        config = self.predictor.preprocess
        size = (config.net_height, config.net_width)
        plane = np.zeros(size, np.float32)
        planes = {str(kind): plane for kind in self.predictor.meta.inputs}
        return Prepared(planes, Geometry((1.0, 1.0), (0.0, 0.0), size), *size)


DETECTOR: Final[Deployment] = serve.deployment(
    max_ongoing_requests=16,
    ray_actor_options={"num_cpus": 0.5},
    autoscaling_config={"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 4},
    health_check_period_s=1,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Detector)
