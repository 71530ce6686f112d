"""Small models, built once; tests that change one make their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mgray.models.config import DetectorConfig, PostprocessConfig
from mgray.models.efficientdet import EfficientDet, build_detector
from mgray.models.meta import ModelMeta
from mgray.models.saved import save_model


def _new_detector(seed: int, **changes: object) -> EfficientDet:
    torch.manual_seed(seed)
    return build_detector(DetectorConfig.model_validate({"weights": "none"} | changes))


def _shake(model: torch.nn.Module, seed: int) -> None:
    """Make every weight and statistic of a network its own, so that a wrong mapping cannot hide."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: torch.Size, low: float, high: float) -> Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(draw(value.shape, 0.5, 2.0))
            elif name.endswith("edge_weights"):
                value.copy_(draw(value.shape, -0.5, 2.0))
            elif name.endswith("running_mean") or (value.ndim == 1 and name.endswith("bias")):
                value.add_(draw(value.shape, -0.3, 0.3))
            elif value.ndim == 1 and name.endswith("weight"):
                value.copy_(draw(value.shape, 0.5, 1.5))


@pytest.fixture(scope="session")
def new_detector() -> Callable[..., EfficientDet]:
    return _new_detector


@pytest.fixture(scope="session")
def shake() -> Callable[[torch.nn.Module, int], None]:
    return _shake


@pytest.fixture(scope="session")
def detector() -> EfficientDet:
    """A; in evaluation mode, every number its own. Leave it unchanged."""
    model = _new_detector(1).eval()
    _shake(model, 1)
    return model


@pytest.fixture(scope="session")
def other() -> EfficientDet:
    """B or C. Leave it unchanged."""
    model = _new_detector(2).eval()
    _shake(model, 2)
    return model


@pytest.fixture(scope="session")
def image() -> Tensor:
    return torch.randn(2, 3, 128, 256, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="session")
def small() -> Tensor:
    return torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.fixture(scope="session")
def meta() -> ModelMeta:
    """What the folder ``saved`` says about itself."""
    return ModelMeta(
        kind="detector",
        inputs=("sm",),
        detector=DetectorConfig(weights="none"),
        preprocess={"net_height": 128, "net_width": 256},
        postprocess=PostprocessConfig(keep=7),
        thresholds={"fppi_1": 0.25},
        licence="apache-2.0",
        stage="sm",
        seed=7,
    )


@pytest.fixture
def saved(folder: Path, detector: EfficientDet, meta: ModelMeta) -> Path:
    """A detector's model folder."""
    save_model(folder, detector, meta)
    return folder
