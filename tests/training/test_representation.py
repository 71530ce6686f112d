"""The cosine of stage II against small cases worked out by hand."""

import pytest
import torch

from mgray.models.config import DetectorConfig
from mgray.models.efficientdet import EfficientDet
from mgray.training.config import DistillationConfig
from mgray.training.representation import Representation, build_projections, similarity, tower

DETECTOR = DetectorConfig(weights="none")


def one_map(*columns: list[float]) -> torch.Tensor:
    """One image of height 1: a column of channels for each position."""
    return torch.tensor(columns).T[None, :, None, :]


Z = one_map([1.0, 0.0], [0.0, 2.0])
H = one_map([3.0, 0.0], [4.0, 0.0])


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("position", (1 + 0) / 2),
        ("level", 3 / (5**0.5 * 5)),
        ("pooled", 0.5 * 3.5 / (1.25**0.5 * 3.5)),
    ],
)
def test_cosine_spans_what_the_mode_says(mode: str, wanted: float) -> None:
    config = DistillationConfig.model_validate({"cosine": mode})
    assert float(similarity([Z], [H], config)) == pytest.approx(wanted)


@pytest.mark.parametrize(("weighting", "wanted"), [("equal", 0.5), ("cells", 1 / 5)])
def test_levels_weigh_as_asked(weighting: str, wanted: float) -> None:
    small, big = torch.ones(1, 2, 1, 1), torch.ones(1, 2, 2, 2)
    opposite = one_map([1.0, -1.0], [1.0, -1.0]).expand(1, 2, 2, 2)
    config = DistillationConfig.model_validate({"level_weighting": weighting})
    got = similarity([small, big], [small, opposite], config)
    assert float(got) == pytest.approx(wanted)


def test_the_scale_of_h_does_not_matter() -> None:
    config = DistillationConfig()
    assert torch.equal(similarity([Z], [H], config), similarity([Z], [4 * H], config))


@pytest.mark.parametrize(("kind", "inputs"), [("dense", 64), ("depthwise", 1)])
def test_projections_keep_the_shape(kind: str, inputs: int) -> None:
    config = DistillationConfig.model_validate({"projection": kind})
    projections = build_projections(DETECTOR, config)
    maps = torch.randn(1, 64, 5, 3)
    assert len(projections) == 5
    assert all(project(maps).shape == maps.shape for project in projections)
    assert all(p.weight.shape == (64, inputs, 3, 3) for p in projections)


def test_h_after_towers_predicts_what_the_detector_predicts() -> None:
    detector = EfficientDet(DETECTOR).eval()
    image = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        maps = tower(detector.box_head, detector.features(image))
        deltas = [detector.box_head.final(one) for one in maps]
        wanted = detector(image).box_deltas
    for got, level in zip(deltas, wanted, strict=True):
        assert torch.equal(got.permute(0, 2, 3, 1).reshape(1, -1, 4), level)


def test_h_after_towers_has_two_maps_a_level() -> None:
    detector = EfficientDet(DETECTOR).eval()
    with torch.no_grad():
        maps = Representation(detector, "after_towers")(torch.zeros(1, 3, 128, 128))
    assert [one.shape[-1] for one in maps] == [16, 8, 4, 2, 1] * 2
