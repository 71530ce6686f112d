import copy

import pytest
import torch
from torch import Tensor

from mgray.models.config import FusionConfig
from mgray.models.efficientdet import EfficientDet
from mgray.models.fused import FusedDetector, UpperBound

MODES = [FusionConfig(mode="concat_head"), FusionConfig(mode="fuse_conv")]
WIDE = FusionConfig(mode="wide_head")
ALL = [*MODES, WIDE]
RANDOM = [FusionConfig(mode=config.mode, init="random") for config in ALL]


def same_outputs(one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]) -> bool:
    return all(map(torch.equal, one, two))


def snapshot(module: torch.nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


def changed(module: torch.nn.Module, before: dict[str, Tensor]) -> bool:
    return any(not torch.equal(v, before[k]) for k, v in module.state_dict().items())


def learn(model: torch.nn.Module, *images: Tensor) -> None:
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    sum(part.square().mean() for part in model(*images).flat()).backward()
    optimizer.step()


@pytest.mark.parametrize("fusion", MODES, ids=lambda f: f.mode)
@torch.no_grad()
def test_a_fused_detector_starts_with_exactly_as_output(
    fusion: FusionConfig, detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    fused = FusedDetector(detector, other, fusion).eval()
    assert same_outputs(fused(small).flat(), detector(small).flat())


@pytest.mark.parametrize("fusion", MODES, ids=lambda f: f.mode)
@torch.no_grad()
def test_an_upper_bound_starts_with_exactly_as_output(
    fusion: FusionConfig, detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    bound = UpperBound(detector, other, fusion).eval()
    assert same_outputs(bound(small, small.flip(-1)).flat(), detector(small).flat())


@torch.no_grad()
def test_a_wide_head_starts_with_as_output_but_for_rounding(
    detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    fused = FusedDetector(detector, other, WIDE).eval()
    torch.testing.assert_close(fused(small).flat(), detector(small).flat(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", [WIDE, RANDOM[-1]], ids=lambda f: f.init)
def test_a_wide_head_has_twice_the_channels_throughout(
    fusion: FusionConfig, detector: EfficientDet, other: EfficientDet
) -> None:
    head = FusedDetector(detector, other, fusion).class_head
    assert {conv.pointwise.weight.shape[1] for conv in [*head.convs, head.final]} == {128}


@pytest.mark.parametrize("fusion", RANDOM, ids=lambda f: f.mode)
@torch.no_grad()
def test_a_random_head_does_not_start_with_as_output(
    fusion: FusionConfig, detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    fused = FusedDetector(detector, other, fusion).eval()
    assert not same_outputs(fused(small).flat(), detector(small).flat())


@torch.no_grad()
def test_a_random_head_starts_at_the_prior(
    detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    logits, _ = FusedDetector(detector, other, RANDOM[0])(small).flat()
    assert -8 < float(logits.median()) < -3


@torch.no_grad()
def test_features_are_as_and_then_bs(
    detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    features = FusedDetector(detector, other).eval().features(small)
    assert torch.equal(features[1][:, :64], detector.features(small)[1])
    assert torch.equal(features[1][:, 64:], other.features(small)[1])


@pytest.mark.parametrize("fusion", [*ALL, *RANDOM], ids=lambda f: f"{f.mode}-{f.init}")
def test_training_changes_a_and_the_heads_and_leaves_b_bit_identical(
    fusion: FusionConfig, detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    fused = FusedDetector(detector, other, fusion)
    parts = {name: snapshot(part) for name, part in fused.named_children()}
    learn(fused, small)
    moved = {name for name, part in fused.named_children() if changed(part, parts[name])}
    assert moved == {name for name in parts if name != "trunk_b"}


def test_b_stays_in_evaluation_mode(detector: EfficientDet, other: EfficientDet) -> None:
    fused = FusedDetector(detector, other).train()
    assert fused.trunk_a.training
    assert not any(m.training for m in fused.trunk_b.modules())


@pytest.mark.parametrize("fusion", ALL, ids=lambda f: f.mode)
def test_an_upper_bound_trains_everything(
    fusion: FusionConfig, detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    bound = UpperBound(detector, other, fusion)
    parts = {name: snapshot(part) for name, part in bound.named_children()}
    for _ in range(2):  # c gets a gradient as soon as the head has opened its eyes
        learn(bound, small, small.flip(-1))
    assert all(changed(part, parts[name]) for name, part in bound.named_children())


def test_every_trained_parameter_gets_a_gradient(
    detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    fused = FusedDetector(detector, other)
    learn(fused, small)
    assert all(p.grad is not None for p in fused.parameters() if p.requires_grad)


def test_the_given_detectors_stay_as_they_are(
    detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    before = snapshot(detector), snapshot(other)
    learn(FusedDetector(detector, other), small)
    assert not changed(detector, before[0])
    assert not changed(other, before[1])
    assert all(p.requires_grad for p in other.parameters())


def test_a_fused_detector_holds_no_head_but_its_own(
    detector: EfficientDet, other: EfficientDet
) -> None:
    names = {name for name, _ in FusedDetector(detector, other).named_children()}
    assert names == {"trunk_a", "trunk_b", "class_head", "box_head"}


def test_anchors_are_those_of_a(detector: EfficientDet, other: EfficientDet) -> None:
    fused = FusedDetector(detector, other)
    assert torch.equal(fused.anchors(128, 128), detector.anchors(128, 128))


@torch.no_grad()
def test_of_a_head_that_is_blind_to_b_as_half_alone_is_everything(
    detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    fused = FusedDetector(detector, other, FusionConfig(mode="concat_head")).eval()
    a, b = fused.halves(fused.features(small))
    assert same_outputs(a.flat(), fused(small).flat())
    assert not same_outputs(b.flat(), a.flat())


@torch.no_grad()
def test_each_half_alone_differs_from_both_together(
    detector: EfficientDet, other: EfficientDet, small: Tensor
) -> None:
    fusion = FusionConfig(mode="concat_head", init="random")
    fused = FusedDetector(detector, other, fusion).eval()
    whole, (a, b) = fused(small), fused.halves(fused.features(small))
    assert not same_outputs(a.flat(), whole.flat())
    assert not same_outputs(b.flat(), whole.flat())
