"""Arms of the experiment: each is the full method with named changes. Imports no Torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mgray.recipes.fusion_config import TRAINED

FULL: Final = "full"
_FROM_TWO: Final = ("student", "fused")
_FROM_THREE: Final = ("fused",)


@dataclass(frozen=True)
class Arm:
    """One variant of a run; what it does not train again it takes from the full arm."""

    title: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the config, dotted."""
    trains: tuple[str, ...] = _FROM_TWO
    """Stages that the changes touch."""
    student: Literal["stage_two", "second_a"] = "stage_two"
    """B comes from stage II, or is A once more with another seed and the same boxes."""


ARMS: Final[Mapping[str, Arm]] = {
    FULL: Arm("Fused (the method)", trains=TRAINED),
    # controls
    "mismatched": Arm("Stage II on shuffled pairs", {"distillation.pairs": "mismatched"}),
    "second_a": Arm("B is a second A", trains=_FROM_THREE, student="second_a"),
    "untrained_b": Arm("Stage II skipped, B as it starts", {"train.steps.student": 0}),
    "copy_of_a": Arm(
        "Stage II skipped, B a copy of A",
        {"train.steps.student": 0, "distillation.student_init": "from_a"},
    ),
    # ablations
    "a11_letterbox": Arm("A11: letterbox", {"batches.preprocess.fit": "letterbox"}, trains=TRAINED),
    "a17_depthwise": Arm("A17: depthwise projection", {"distillation.projection": "depthwise"}),
    "a18_towers": Arm("A18: h after the towers", {"distillation.h_location": "after_towers"}),
    "a19_level": Arm("A19: cosine of whole levels", {"distillation.cosine": "level"}),
    "a19_pooled": Arm("A19: cosine of pooled levels", {"distillation.cosine": "pooled"}),
    "a20_cells": Arm("A20: levels weigh by cells", {"distillation.level_weighting": "cells"}),
    "a21_from_a": Arm("A21: B starts from A", {"distillation.student_init": "from_a"}),
    "a21_from_c": Arm("A21: B starts from C", {"distillation.student_init": "from_c"}),
    "a21_pretrained": Arm("A21: B starts as A and C", {"distillation.student_init": "pretrained"}),
    "a23_balanced": Arm("A23: stage II balanced", {"distillation.sampler": "same"}),
    "a24_wide": Arm("A24: wide heads", {"fusion.mode": "wide_head"}, trains=_FROM_THREE),
    "a24_mixer": Arm("A24: 1x1 mixers", {"fusion.mode": "fuse_conv"}, trains=_FROM_THREE),
    "a24_random": Arm("A24: heads from scratch", {"fusion.init": "random"}, trains=_FROM_THREE),
}
CONTROLS: Final = ("mismatched", "second_a", "untrained_b")
