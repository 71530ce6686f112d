"""Deployment ``Detector``: the model. Images that wait together are answered together.

Torch is imported by replicas only, as they load a model: whoever deploys need not wait for it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ray import serve
from ray.serve import Deployment

from mgray.config import fingerprint
from mgray.inference.prepare import Prepared
from mgray.models.folder import CARD, model_sha256
from mgray.models.meta import FPPI, ModelMeta
from mgray.models.shelf import Shelf
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
from serve.niceness import give_way

if TYPE_CHECKING:
    from mgray.inference.predictor import Detection, Predictor

MOST: Final = 4
"""Models in the memory of a replica; the one asked for longest ago makes room."""
Spacing = tuple[float, float] | None


@dataclass(frozen=True)
class Loaded:
    """A model in memory, and what is told of it."""

    predictor: "Predictor"
    facts: ModelFacts
    thresholds: dict[str, float]


@dataclass(frozen=True)
class _Asked:
    case: Prepared
    loaded: Loaded
    contributions: bool


class Detector:
    """Answer prepared images. A model is loaded when it is first asked for, and smoke-tested.

    Args:
        shelf: The models.
        device: ``cpu`` or ``cuda``.
        batch_size: Images in one forward pass.
    """

    def __init__(self, shelf: Shelf, device: str, batch_size: int) -> None:
        give_way()
        self.shelf, self.device, self.batch_size = shelf, device, batch_size

    async def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Take batching settings without a restart; ready with the current version warm."""
        batcher: Any = self._detect  # serve.batch adds the setters
        batcher.set_max_batch_size(settings["max_batch_size"])
        batcher.set_batch_wait_timeout_s(settings["batch_wait_timeout_s"])
        name = settings["warm"]
        await self._load(f"{name}/{self.shelf.current(name)}")

    async def __call__(
        self, decoded: Decoded | Refusal, model: str, contributions: bool = False
    ) -> Detected | Refusal:
        """Detect on one image; a refusal passes through.

        Raises:
            MgrayError: The model cannot be loaded, or failed its smoke test.
        """
        if isinstance(decoded, Refusal):
            return decoded
        started = time.perf_counter()
        loaded = await self._load(model)
        found, halves = await self._detect(_Asked(decoded.prepared, loaded, contributions))
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
        return Detected(answer, loaded.facts, loaded.thresholds, decoded.study)

    @serve.multiplexed(max_num_models_per_replica=MOST)  # type: ignore[untyped-decorator]  # untyped in Ray
    async def _load(self, model: str) -> Loaded:
        return await asyncio.to_thread(self._read, model)

    def _read(self, model: str) -> Loaded:
        from mgray.inference.predictor import Predictor
        from mgray.inference.smoke import smoke_test

        name, version = model.split("/")
        folder = self.shelf.find(name, version)
        predictor = Predictor.load(folder, self.device, self.batch_size)
        smoke_test(predictor)  # also the first pass, which is slow
        facts = model_facts(name, "" if self.shelf.is_single else version, folder, predictor.meta)
        return Loaded(predictor, facts, thresholds(predictor.meta))

    async def card(self, model: str) -> ModelCard:
        """Tell what a model says of itself.

        Raises:
            MgrayError: The model cannot be loaded.
        """
        loaded: Loaded = await self._load(model)
        text = (self.shelf.find(*model.split("/")) / CARD).read_text()
        return ModelCard(**loaded.facts.model_dump(), card=text)

    @serve.batch
    async def _detect(self, asked: list[_Asked]) -> list[Any]:
        return await asyncio.to_thread(_answer, asked)


def _answer(asked: Sequence[_Asked]) -> list[Any]:
    """Detections of each, and with the halves of the representation where wanted.

    Serve splits a batch by model, see ``multiplexed_model_id`` in ``serve.app``.
    """
    (predictor,) = {one.loaded.predictor for one in asked}
    found = predictor.detect([one.case for one in asked])
    return [
        (boxes, predictor.contributions(one.case) if one.contributions else None)
        for boxes, one in zip(found, asked, strict=True)
    ]


def model_facts(name: str, version: str, folder: Path, meta: ModelMeta) -> ModelFacts:
    """Name a model, and tell the hash of its weights; it is the version if there is no other."""
    sha256 = model_sha256(folder)
    return ModelFacts(
        id=name,
        version=version or sha256[:12],
        sha256=sha256,
        config_fingerprint=fingerprint(meta.model_copy(update={"measured": (), "notes": {}})),
    )


def thresholds(meta: ModelMeta) -> dict[str, float]:
    """Read the operating points by false positives per image, the fewest first."""
    return {
        f"{fppi:g}": meta.thresholds[key] for fppi, key in FPPI.items() if key in meta.thresholds
    }


def _told(found: Sequence["Detection"], spacing: Spacing) -> list[Found]:
    return [
        Found(box=one.box, box_mm=box_mm(one.box, spacing), score=one.score, label=one.label)
        for one in found
    ]


DETECTOR: Final[Deployment] = serve.deployment(
    max_ongoing_requests=16,
    ray_actor_options={"num_cpus": 0.25},
    autoscaling_config={"min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 4},
    health_check_period_s=1,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Detector)
