"""What a model folder says about its weights."""

from typing import Any, Final, Literal

from pydantic import Field

from mgray.config import Config
from mgray.models.config import LABELS, DetectorConfig, FusionConfig, PostprocessConfig

FPPI: Final = {fppi: f"fppi_{fppi:g}" for fppi in (0.25, 0.5, 1.0, 2.0)}
"""Operating points by false positives per image, and their keys in ``ModelMeta.thresholds``."""


class Measured(Config):
    """One figure of an evaluation."""

    what: str
    """Name of the metric, e.g. ``fauc_1``."""
    where: str
    """Split, and the subgroup if it is one."""
    value: float
    """As reported."""
    ci95: tuple[float, float] | None = None
    """Interval of 95 %, if one was computed."""


class ModelMeta(Config):
    """What a model folder says about its weights."""

    kind: Literal["detector", "fused", "upper_bound"]
    """Which class the weights belong to."""
    inputs: tuple[Literal["sm", "ffdm"], ...]
    """Images the model takes, in order; boxes are in the frame of the first."""
    detector: DetectorConfig
    """Of A, B or C; its ``weights`` say where training started."""
    fusion: FusionConfig = FusionConfig()
    """How the two halves meet, for ``fused`` and ``upper_bound``."""
    labels: tuple[str, ...] = LABELS
    """Name of each class logit."""
    preprocess: dict[str, Any] = Field(default_factory=dict)
    """The preprocessing config the model was trained with."""
    postprocess: PostprocessConfig = PostprocessConfig()
    """How its outputs become boxes."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Operating points on the score of malignant boxes: the keys of ``FPPI``."""
    domain: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Range of each statistic of ``mgray.data.domain`` over the training images."""
    measured: tuple[Measured, ...] = ()
    """What evaluation found, for the card."""
    licence: str = "other"
    """Tag of the weights: that of the data they have seen if it is one, ``other`` if several."""
    data_licences: tuple[str, ...] = ()
    """Tags of all data that the weights have seen, see ``mgray.licence``; none is unknown."""
    stage: str = ""
    """Stage of the recipe that made it, e.g. ``sm``."""
    seed: int = 0
    """Seed of the run."""
    notes: dict[str, str] = Field(default_factory=dict)
    """Anything else worth reading in the card: commit, data set, steps."""
