"""The two deployments behind the ingress: ``Decoder`` (CPU, one file at a time) and ``Detector``.

A prepared image goes from one to the other through Ray's object store, never through the ingress.
Refusals are values, not exceptions: an exception's text ends in logs.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve

from mgray.data.transforms import Geometry
from mgray.dicom.child import DecodeChild
from mgray.dicom.limits import Limits
from mgray.errors import Rejected
from mgray.inference.predictor import Detection, Predictor, Prepared, prepare_case
from mgray.models.folder import ModelMeta, model_sha256, read_meta
from serve.answers import Caution, ImageFacts, ModelFacts, cautions, image_facts


@dataclass(frozen=True)
class Refusal:
    """The decoder refused the file."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Decoded:
    """An image on its way to the network."""

    prepared: Prepared
    image: ImageFacts
    warnings: list[Caution]
    decode_ms: float


@dataclass(frozen=True)
class Detected:
    """An image's answer on its way to the ingress."""

    image: ImageFacts
    warnings: list[Caution]
    model: ModelFacts
    threshold: float | None
    detections: list[Detection]
    decode_ms: float
    detect_ms: float


# CPU shares are small so that all three start on two cores; serve/config.yaml has production's.
@serve.deployment(
    max_ongoing_requests=1,
    ray_actor_options={"num_cpus": 0.4},
    autoscaling_config={"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 2},
    health_check_period_s=5,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)
class Decoder:
    """Turn a file's bytes into the network's input, in a child process that may die.

    Args:
        folder: Model folder; its description is read, not its weights.
        limits: What one file may cost.
    """

    def __init__(self, folder: str, limits: Limits) -> None:
        self.meta = read_meta(Path(folder))
        self.child = DecodeChild(limits).__enter__()

    def __call__(self, body: bytes) -> Decoded | Refusal:
        """Decode one file."""
        started = time.perf_counter()
        (kind,) = self.meta.inputs
        try:
            columns = self.child.read(body).columns
        except Rejected as refused:
            return Refusal(refused.reason, refused.detail)
        return Decoded(
            prepare_case({kind: columns}, self.meta),
            image_facts(columns),
            cautions(columns, kind),
            (time.perf_counter() - started) * 1000,
        )

    def __del__(self) -> None:
        self.child.__exit__(None, None, None)


@serve.deployment(
    max_ongoing_requests=16,
    ray_actor_options={"num_cpus": 0.5},
    autoscaling_config={"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 4},
    health_check_period_s=5,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)
class Detector:
    """The model; requests that wait together are answered together.

    Args:
        folder: Model folder.
        device: ``cpu`` or ``cuda``.
        batch_size: Images in one forward pass.
    """

    def __init__(self, folder: str, device: str, batch_size: int) -> None:
        path = Path(folder)
        self.predictor = Predictor.load(path, device, batch_size)
        self.model = ModelFacts(id=path.name, sha256=model_sha256(path))
        self.threshold = self.predictor.meta.thresholds.get("fppi_1")
        self.predictor.detect([_blank(self.predictor.meta)])  # the first pass is slow

    def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Take new batching settings without a restart."""
        self._detect.set_max_batch_size(settings["max_batch_size"])
        self._detect.set_batch_wait_timeout_s(settings["batch_wait_timeout_s"])

    async def __call__(self, decoded: Decoded | Refusal) -> Detected | Refusal:
        """Detect on one image; a refusal passes through."""
        if isinstance(decoded, Refusal):
            return decoded
        started = time.perf_counter()
        detections = await self._detect(decoded.prepared)
        return Detected(
            decoded.image,
            decoded.warnings,
            self.model,
            self.threshold,
            detections,
            decoded.decode_ms,
            (time.perf_counter() - started) * 1000,
        )

    @serve.batch
    async def _detect(self, cases: list[Prepared]) -> list[list[Detection]]:
        return await asyncio.to_thread(self.predictor.detect, cases)


def _blank(meta: ModelMeta) -> Prepared:
    height, width = meta.preprocess["net_height"], meta.preprocess["net_width"]
    plane = np.zeros((height, width), np.float32)
    geometry = Geometry((1.0, 1.0), (0.0, 0.0), (height, width))
    return Prepared(dict.fromkeys(meta.inputs, plane), geometry, height, width)
