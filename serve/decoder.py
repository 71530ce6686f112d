"""Deployment ``Decoder``: a file's bytes in, the network's input out, on CPUs.

Refusals are values, not exceptions: an exception's text ends in logs.
"""

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from ray import serve
from ray.serve import Deployment

from mgray.data.domain import Domain, outside, statistics
from mgray.data.transforms import PreprocessConfig, crop_box
from mgray.dicom.child import DecodeChild
from mgray.dicom.limits import Limits
from mgray.dicom.pixels import read_display
from mgray.errors import Rejected
from mgray.inference.prepare import Prepared, prepare_case
from serve.answers import Answer, Caution, ImageFacts, Preprocessing, Refusal
from serve.facts import cautions, image_facts, inverted, window
from serve.filing import Filed, Form, Fppi, eight_bits, grey_columns, write_objects
from serve.pixels import packed_pixels


@dataclass(frozen=True)
class Decoded:
    """An image on its way to the network, through Ray's object store."""

    prepared: Prepared
    image: ImageFacts
    preprocessing: Preprocessing
    warnings: list[Caution]
    study: str
    """Equal for images of one study; tells nothing else."""
    decode_ms: float
    filed: Filed | None
    """Only for an answer as DICOM."""


class Decoder:
    """Decode one file at a time, in a child process that may die.

    Args:
        kind: The image that the model takes: ``sm`` or ``ffdm``.
        preprocess: Of the model.
        domain: Of the model's training images.
        limits: What one file may cost.
    """

    def __init__(
        self, kind: str, preprocess: PreprocessConfig, domain: Domain, limits: Limits
    ) -> None:
        self.kind, self.preprocess, self.domain = kind, preprocess, domain
        self.child = DecodeChild(limits, cropper=preprocess.cropper)
        with suppress(Rejected):
            self.child.read(b"no DICOM")  # starts the process before the first request does

    def __call__(self, body: bytes, form: Form | None = None) -> Decoded | Refusal:
        """Decode one file; keep what an answer in this form repeats of it."""
        started = time.perf_counter()
        try:
            record = self.child.read(body)
            filed = form and self._filed(body, record.columns, form)
        except Rejected as refused:
            return Refusal(refused.reason, refused.detail)
        columns = record.columns
        prepared = prepare_case({self.kind: columns}, (self.kind,), self.preprocess)
        return Decoded(
            prepared=prepared,
            image=image_facts(columns),
            preprocessing=self._preprocessing(columns, prepared),
            warnings=cautions(columns, self.kind) + self._strange(columns),
            study=hashlib.sha256(record.identity.study_instance_uid.encode()).hexdigest(),
            decode_ms=(time.perf_counter() - started) * 1000,
            filed=filed,
        )

    def write(
        self, form: Form, fppi: Fppi, answer: Answer, *decoded: Decoded
    ) -> list[bytes] | Refusal:
        """Write the answer to images that were decoded with this form, as DICOM objects."""
        try:
            return write_objects(form, fppi, answer, [one.filed for one in decoded if one.filed])
        except Rejected as refused:
            return Refusal(refused.reason, refused.detail)

    def _filed(self, body: bytes, columns: Mapping[str, Any], form: Form) -> Filed:
        shown = eight_bits(read_display(columns)) if form == "sc" else None
        return Filed(self.child.read_origin(body), grey_columns(columns), shown)

    def _preprocessing(self, columns: Mapping[str, Any], prepared: Prepared) -> Preprocessing:
        return Preprocessing(
            crop=crop_box(columns, self.preprocess),
            mirrored=prepared.geometry.scale[0] < 0,
            inverted=inverted(columns),
            window=window(columns),
            net_size=prepared.geometry.size,
        )

    def _strange(self, columns: Mapping[str, Any]) -> list[Caution]:
        names = outside(statistics(columns), self.domain) if self.domain else []
        words = f"unlike the training images in {', '.join(names).replace('_', ' ')}"
        return [Caution(code="out_of_distribution", detail=words)] if names else []

    def pixels(self, body: bytes, side: int) -> bytes | Refusal:
        """Decode one file for a screen."""
        return packed_pixels(self.child, body, side)

    def __del__(self) -> None:
        self.child.close()


# A small CPU share, so that all deployments start on two cores; config.yaml has production's.
DECODER: Final[Deployment] = serve.deployment(
    max_ongoing_requests=1,
    ray_actor_options={"num_cpus": 0.4},
    autoscaling_config={"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 2},
    health_check_period_s=5,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Decoder)
