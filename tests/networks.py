"""Small networks with random weights, and what a model folder says of them."""

from typing import Any

import torch

from mgray.data.transforms import PreprocessConfig
from mgray.models.config import DetectorConfig, FusionConfig
from mgray.models.efficientdet import EfficientDet
from mgray.models.folder import ModelMeta
from mgray.models.fused import TwoTrunks
from mgray.models.saved import build_model


def small_meta(**changes: Any) -> ModelMeta:
    """A fused detector of SM that sees 128 x 128 pixels; ``changes`` replace fields."""
    told = {
        "kind": "fused",
        "inputs": ("sm",),
        "detector": DetectorConfig(weights="none"),
        "fusion": FusionConfig(init="random"),  # else the second half is blind
        "preprocess": PreprocessConfig(net_height=128, net_width=128).model_dump(),
    }
    return ModelMeta(**{**told, **changes})


def spread_model(meta: ModelMeta, seed: int = 0) -> EfficientDet | TwoTrunks:
    """A network with random weights whose scores spread, as those of a trained one do."""
    torch.manual_seed(seed)
    model = build_model(meta)
    assert isinstance(model, EfficientDet | TwoTrunks)
    torch.nn.init.normal_(model.class_head.final.pointwise.weight, std=0.5)
    return model
