"""Deployment ``Decoder``: a file's bytes in, the network's input out, on CPUs.

Refusals are values, not exceptions: an exception's text ends in logs.
"""

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ray import serve
from ray.serve import Deployment

from mgray.config import build
from mgray.data.domain import Domain, outside, statistics
from mgray.data.transforms import PreprocessConfig, crop_box
from mgray.dicom.child import DecodeChild
from mgray.dicom.limits import Limits
from mgray.dicom.pixels import read_display
from mgray.errors import DataError, Rejected
from mgray.inference.prepare import Prepared, prepare_case
from mgray.models.folder import read_meta
from mgray.models.shelf import Shelf
from serve.answers import Answer, Caution, ImageFacts, Preprocessing, Refusal
from serve.facts import cautions, image_facts, inverted, window
from serve.filing import (
    Filed,
    Form,
    Fppi,
    Written,
    eight_bits,
    grey_columns,
    write_objects,
)
from serve.niceness import give_way
from serve.pixels import packed_pixels

MOST_MODELS: Final = 16


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


@dataclass(frozen=True)
class Recipe:
    """What a model wants to be given."""

    kind: str
    """``sm`` or ``ffdm``."""
    preprocess: PreprocessConfig
    """As in training."""
    domain: Domain
    """Of its training images."""


class Decoder:
    """Decode one file at a time, in a child process that may die.

    Serve forgets a call whose client has gone, while its thread goes on: the next call may overlap
    with it, and waits for its turn at the child.

    Args:
        shelf: The models.
        name: Model that most requests will be for.
        limits: What one file may cost.
    """

    def __init__(self, shelf: Shelf, name: str, limits: Limits) -> None:
        give_way()
        self.shelf, self.limits = shelf, limits
        self.children: dict[str, DecodeChild] = {}
        self._recipe = lru_cache(MOST_MODELS)(self._read)
        warm = self._child(self._recipe(f"{name}/{shelf.current(name)}"))
        with suppress(Rejected):
            warm.read(b"no DICOM")  # starts the process

    def __call__(self, body: bytes, model: str, form: Form | None = None) -> Decoded | Refusal:
        """Decode one file for a model; keep what an answer in this form repeats of it.

        Raises:
            MgrayError: The model cannot be read.
        """
        started = time.perf_counter()
        recipe = self._recipe(model)
        try:
            record = self._child(recipe).read(body)
            filed = form and self._filed(body, record.columns, form, recipe)
            prepared = _prepared(record.columns, recipe)
        except Rejected as refused:
            return Refusal(refused.reason, refused.detail)
        columns = record.columns
        return Decoded(
            prepared=prepared,
            image=image_facts(columns),
            preprocessing=_preprocessing(columns, prepared, recipe),
            warnings=cautions(columns, recipe.kind) + _strange(columns, recipe),
            study=hashlib.sha256(record.identity.study_instance_uid.encode()).hexdigest(),
            decode_ms=(time.perf_counter() - started) * 1000,
            filed=filed,
        )

    def write(self, form: Form, fppi: Fppi, answer: Answer, *decoded: Decoded) -> Written | Refusal:
        """Write the answer to images that were decoded with this form, as DICOM objects."""
        try:
            return write_objects(form, fppi, answer, [one.filed for one in decoded if one.filed])
        except Rejected as refused:
            return Refusal(refused.reason, refused.detail)

    def _filed(self, body: bytes, columns: Mapping[str, Any], form: Form, recipe: Recipe) -> Filed:
        shown = eight_bits(read_display(columns)) if form == "sc" else None
        return Filed(self._child(recipe).read_origin(body), grey_columns(columns), shown)

    def _read(self, model: str) -> Recipe:
        meta = read_meta(self.shelf.find(*model.split("/")))
        return Recipe(meta.inputs[0], build(PreprocessConfig, meta.preprocess), meta.domain)

    def _child(self, recipe: Recipe) -> DecodeChild:
        cropper = recipe.preprocess.cropper
        # of two threads that both make one, one throws its own away unused: it has no process yet
        return self.children.setdefault(cropper, DecodeChild(self.limits, cropper=cropper))

    def pixels(self, body: bytes, side: int) -> bytes | Refusal:
        """Decode one file for a screen."""
        return packed_pixels(next(iter(self.children.values())), body, side)

    def __del__(self) -> None:
        for child in self.children.values():
            child.close()


def _prepared(columns: Mapping[str, Any], recipe: Recipe) -> Prepared:
    """Make the network's input.

    Raises:
        Rejected: ``unsupported_kind``, the recipe has no window for such images.
    """
    try:
        return prepare_case({recipe.kind: columns}, (recipe.kind,), recipe.preprocess)
    except DataError:
        raise Rejected("unsupported_kind", "the model takes no images of this kind") from None


def _preprocessing(columns: Mapping[str, Any], prepared: Prepared, recipe: Recipe) -> Preprocessing:
    return Preprocessing(
        crop=crop_box(columns, recipe.preprocess),
        mirrored=prepared.geometry.scale[0] < 0,
        inverted=inverted(columns),
        window=window(columns),
        net_size=prepared.geometry.size,
    )


def _strange(columns: Mapping[str, Any], recipe: Recipe) -> list[Caution]:
    names = outside(statistics(columns), recipe.domain) if recipe.domain else []
    words = f"unlike the training images in {', '.join(names).replace('_', ' ')}"
    return [Caution(code="out_of_distribution", detail=words)] if names else []


# Small CPU shares: on two cores the most replicas of every deployment fit beside each other; else
# one that has grown takes the place of another's last. config.yaml has production's.
DECODER: Final[Deployment] = serve.deployment(
    max_ongoing_requests=1,
    ray_actor_options={"num_cpus": 0.2},
    autoscaling_config={"min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 2},
    health_check_period_s=1,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Decoder)
