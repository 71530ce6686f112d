from pathlib import Path

import pytest
import torch
from torch import Tensor

from mgray.config import build
from mgray.errors import SchemaError
from mgray.models.config import DetectorConfig, FusionConfig
from mgray.models.efficientdet import EfficientDet
from mgray.models.folder import read_meta
from mgray.models.fused import FusedDetector, UpperBound
from mgray.models.meta import ModelMeta
from mgray.models.saved import load_model, save_model


def test_a_saved_detector_answers_the_same(
    saved: Path, detector: EfficientDet, small: Tensor
) -> None:
    model, _ = load_model(saved)
    with torch.no_grad():
        assert all(map(torch.equal, model(small).flat(), detector(small).flat()))


def test_a_loaded_model_is_in_evaluation_mode(saved: Path) -> None:
    assert not any(module.training for module in load_model(saved)[0].modules())


def test_what_a_folder_says_about_itself_comes_back_equal(saved: Path, meta: ModelMeta) -> None:
    assert load_model(saved)[1] == meta
    assert read_meta(saved) == meta


@pytest.mark.parametrize("mode", ["concat_head", "wide_head", "fuse_conv"])
def test_a_saved_fused_detector_answers_the_same(
    mode: str,
    folder: Path,
    detector: EfficientDet,
    other: EfficientDet,
    small: Tensor,
    meta: ModelMeta,
) -> None:
    fusion = build(FusionConfig, {"mode": mode, "init": "random"})
    fused = FusedDetector(detector, other, fusion).eval()
    save_model(folder, fused, meta.model_copy(update={"kind": "fused", "fusion": fusion}))
    model, _ = load_model(folder)
    with torch.no_grad():
        assert all(map(torch.equal, model(small).flat(), fused(small).flat()))


def test_a_saved_upper_bound_takes_both_images(
    folder: Path, detector: EfficientDet, other: EfficientDet, small: Tensor, meta: ModelMeta
) -> None:
    bound = UpperBound(detector, other).eval()
    told = meta.model_copy(update={"kind": "upper_bound", "inputs": ("sm", "ffdm")})
    save_model(folder, bound, told)
    model, loaded = load_model(folder)
    images = {"ffdm": small.flip(-1), "sm": small}
    with torch.no_grad():
        found = model(*(images[kind] for kind in loaded.inputs)).flat()
        assert all(map(torch.equal, found, bound(small, small.flip(-1)).flat()))


def test_weights_of_another_architecture_are_one_line(
    folder: Path, detector: EfficientDet, meta: ModelMeta
) -> None:
    wrong = meta.model_copy(
        update={"detector": DetectorConfig(name="tf_efficientdet_lite0", weights="none")}
    )
    save_model(folder, detector, wrong)
    with pytest.raises(SchemaError, match="does not fit a detector of 'tf_efficientdet_lite0'"):
        load_model(folder)
