"""Deployment ``Decoder``: a file's bytes in, the network's input out, on CPUs.

Refusals are values, not exceptions: an exception's text ends in logs.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ray import serve
from ray.serve import Deployment

from mgray.data.transforms import PreprocessConfig
from mgray.dicom.child import DecodeChild
from mgray.dicom.limits import Limits
from mgray.errors import Rejected
from mgray.inference.prepare import Prepared, prepare_case
from serve.answers import Caution, ImageFacts, Refusal, cautions, image_facts


@dataclass(frozen=True)
class Decoded:
    """An image on its way to the network, through Ray's object store."""

    prepared: Prepared
    image: ImageFacts
    warnings: list[Caution]
    decode_ms: float


class Decoder:
    """Decode one file at a time, in a child process that may die.

    Args:
        kind: The image that the model takes: ``sm`` or ``ffdm``.
        preprocess: Of the model.
        limits: What one file may cost.
    """

    def __init__(self, kind: str, preprocess: PreprocessConfig, limits: Limits) -> None:
        self.kind, self.preprocess = kind, preprocess
        self.child = DecodeChild(limits, cropper=preprocess.cropper)
        with suppress(Rejected):
            self.child.read(b"no DICOM")  # starts the process before the first request does

    def __call__(self, body: bytes) -> Decoded | Refusal:
        """Decode one file."""
        started = time.perf_counter()
        try:
            columns = self.child.read(body).columns
        except Rejected as refused:
            return Refusal(refused.reason, refused.detail)
        return Decoded(
            prepare_case({self.kind: columns}, (self.kind,), self.preprocess),
            image_facts(columns),
            cautions(columns, self.kind),
            (time.perf_counter() - started) * 1000,
        )

    def __del__(self) -> None:
        self.child.close()


# A small CPU share, so that all deployments start on two cores; config.yaml has production's.
DECODER: Final[Deployment] = serve.deployment(
    max_ongoing_requests=1,
    ray_actor_options={"num_cpus": 0.4},
    autoscaling_config={"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 2},
    health_check_period_s=1,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Decoder)
