"""What a detector is built from, without Torch: configs and the one table of architectures.

References:
    arXiv:1911.09070, table 1; sizes as in rwightman/efficientdet-pytorch 0.4.1.
"""

import difflib
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field, field_validator

from mgray.config import Config

LABELS: Final = ("benign", "malignant")
MIN_LEVEL: Final = 3  # the finest pyramid level, stride 8; the backbone gives levels 3, 4 and 5


@dataclass(frozen=True)
class Architecture:
    """One line of the table.

    Args:
        backbone: timm's name.
        channels: Width of neck and heads.
        cells: BiFPN cells, one after the other.
        head_convs: Separable convolutions before the prediction.
        lite: ReLU6 in place of swish.
        weighted: Fast normalised fusion; else a plain sum.
        anchor_scale: Side of the smallest anchor in strides.
        max_level: The coarsest pyramid level; sides must be divisible by ``2**max_level``.
        same_padding: Pooling pads as TensorFlow does.
        redundant_bias: Biases before batch norms, as TensorFlow's weights have them.
    """

    backbone: str
    channels: int
    cells: int
    head_convs: int
    lite: bool = False
    weighted: bool = True
    anchor_scale: float = 4.0
    max_level: int = 7
    same_padding: bool = True
    redundant_bias: bool = True

    @property
    def levels(self) -> int:
        """How many pyramid levels there are."""
        return self.max_level - MIN_LEVEL + 1


_D: Final = [(64, 3, 3), (88, 4, 3), (112, 5, 3), (160, 6, 4), (224, 7, 4), (288, 7, 4)]
_LITE: Final = _D[:5]
_LITE_SCALE: Final = (3.0, 3.0, 3.0, 4.0, 4.0)


def _table() -> dict[str, Architecture]:
    table = {}
    for i, size in enumerate(_D):
        table[f"tf_efficientdet_d{i}"] = Architecture(f"tf_efficientnet_b{i}", *size)
        table[f"efficientdet_d{i}"] = Architecture(
            f"efficientnet_b{i}", *size, same_padding=i > 3, redundant_bias=i > 3
        )
    big = (384, 8, 5)
    table["tf_efficientdet_d6"] = Architecture("tf_efficientnet_b6", *big, weighted=False)
    table["tf_efficientdet_d7"] = Architecture(
        "tf_efficientnet_b6", *big, weighted=False, anchor_scale=5.0
    )
    table["tf_efficientdet_d7x"] = Architecture(
        "tf_efficientnet_b7", *big, weighted=False, max_level=8
    )
    for i, size in enumerate(_LITE):
        table[f"tf_efficientdet_lite{i}"] = Architecture(
            f"tf_efficientnet_lite{i}",
            *size,
            lite=True,
            weighted=False,
            anchor_scale=_LITE_SCALE[i],
        )
        table[f"efficientdet_lite{i}"] = Architecture(
            f"efficientnet_lite{i}", *size, lite=True, redundant_bias=False
        )
    return table


ARCHITECTURES: Final[dict[str, Architecture]] = _table()


class DetectorConfig(Config):
    """One detector: modules A, B and C of the paper."""

    name: str = "efficientdet_lite0"
    """A key of ``ARCHITECTURES``; input size is free, sides divisible by 128 (256 for d7x)."""
    classes: int = Field(default=2, ge=1)
    """Class logits per anchor (P1-A8). 2: benign and malignant; 1: malignant only, where benign
    findings are background."""
    weights: str = "imagenet"
    """``imagenet`` (backbone), ``coco`` (all), ``none``, or the path of an effdet checkpoint."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Chance to skip a residual block while training; each worker draws its own, so that results
    then depend on ``workers``."""
    norm_momentum: float = Field(default=0.01, gt=0, le=1)
    """Step of running statistics in neck and heads; 0.01 needs 500 steps, short runs want 0.1."""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ARCHITECTURES:
            near = difflib.get_close_matches(name, ARCHITECTURES, n=1, cutoff=0.0)
            raise ValueError(f"unknown detector: did you mean {near[0]!r}?")
        return name

    @property
    def architecture(self) -> Architecture:
        """The table's line."""
        return ARCHITECTURES[self.name]


class LossConfig(Config):
    """Focal loss and box loss."""

    alpha_positive: float = Field(default=0.9, ge=0, le=1)
    """Weight of positive anchors; negatives weigh one minus this. The paper's best is 0.9."""
    gamma_positive: float = Field(default=2.5, ge=0)
    """Focusing of positive anchors, the paper's gamma_1."""
    gamma_negative: float = Field(default=2.5, ge=0)
    """Focusing of negative anchors, the paper's gamma_0."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of a label moved half-way to 0.5."""
    box_weight: float = Field(default=50.0, ge=0)
    """Weight of the box loss against the class loss (P1-A14)."""
    huber_delta: float = Field(default=0.1, gt=0)
    """Delta at which the box loss turns from square to linear."""


class FusionConfig(Config):
    """How two representations meet in one head (P1-A24)."""

    mode: Literal["concat_head", "wide_head", "fuse_conv"] = "concat_head"
    """``concat_head``: the head's first layer takes both and returns to C channels; ``wide_head``:
    the head has 2C throughout; ``fuse_conv``: 1x1 convolutions stand before it."""
    init: Literal["from_a", "random"] = "from_a"
    """``from_a``: the model starts with A's output; ``random``: heads from scratch."""


class PostprocessConfig(Config):
    """How many boxes survive, and how much they may overlap (P1-A15); saved in the model folder."""

    candidates: int = Field(default=5000, ge=1)
    """Best (anchor, class) scores of one image that enter non-maximum suppression."""
    nms_iou: float = Field(default=0.5, gt=0, le=1)
    """Of two boxes of one class that overlap more than this, the lower score goes."""
    keep: int = Field(default=100, ge=1)
    """Most boxes kept of one image, all classes together."""
