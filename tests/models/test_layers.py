import torch
from torch import nn

from mgray.models.config import ARCHITECTURES
from mgray.models.layers import (
    SeparableConv,
    WideSeparableConv,
    activation,
    batch_norm,
    freeze,
    init_glorot,
    init_scaled,
)


def test_a_separable_convolution_keeps_height_and_width() -> None:
    assert SeparableConv(4, 6, bias=True)(torch.ones(1, 4, 3, 5)).shape == (1, 6, 3, 5)


def test_depthwise_convolutions_do_not_mix_channels() -> None:
    conv = SeparableConv(2, 2, bias=False)
    nn.init.eye_(conv.pointwise.weight[:, :, 0, 0].detach())
    features = torch.zeros(1, 2, 4, 4)
    features[:, 1] = 1.0
    assert torch.equal(conv(features)[:, 0], torch.zeros(1, 4, 4))


def test_a_wide_convolution_is_one_convolution_of_the_concatenation() -> None:
    first, second = SeparableConv(4, 6, bias=True), SeparableConv(4, 6, bias=False)
    plain = SeparableConv(8, 6, bias=True)
    with torch.no_grad():
        plain.depthwise.weight.copy_(torch.cat([first.depthwise.weight, second.depthwise.weight]))
        weights = [first.pointwise.weight, second.pointwise.weight]
        plain.pointwise.weight.copy_(torch.cat(weights, dim=1))
        assert plain.pointwise.bias is not None
        assert first.pointwise.bias is not None
        plain.pointwise.bias.copy_(first.pointwise.bias)
    features = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(WideSeparableConv(first, second)(features), plain(features))


def test_lite_detectors_use_relu6_and_the_others_swish() -> None:
    lite, full = ARCHITECTURES["efficientdet_lite0"], ARCHITECTURES["efficientdet_d0"]
    assert isinstance(activation(lite), nn.ReLU6)
    assert isinstance(activation(full), nn.SiLU)


def test_batch_norm_has_efficientdets_epsilon() -> None:
    norm = batch_norm(4, momentum=0.1)
    assert (norm.eps, norm.momentum) == (1e-3, 0.1)


def test_a_frozen_module_does_not_change_when_it_is_run() -> None:
    norm = batch_norm(2, momentum=0.5)
    freeze(norm)
    norm(torch.randn(4, 2, 3, 3) + 5)
    assert torch.equal(norm.running_mean, torch.zeros(2))


def test_a_frozen_module_wants_no_gradients() -> None:
    conv = SeparableConv(2, 2, bias=True)
    freeze(conv)
    assert not any(p.requires_grad for p in conv.parameters())


def test_head_weights_have_the_variance_of_one_over_their_inputs() -> None:
    conv = SeparableConv(256, 256, bias=True)
    init_scaled(conv)
    assert abs(float(conv.pointwise.weight.detach().std()) * 16 - 1) < 0.02
    assert abs(float(conv.depthwise.weight.detach().std()) * 3 - 1) < 0.05


def test_neck_weights_stay_within_glorots_limit() -> None:
    conv = nn.Conv2d(100, 200, 1)
    init_glorot(conv)
    limit = (3 / 150) ** 0.5
    assert 0.99 * limit < float(conv.weight.detach().abs().max()) <= limit


def test_initialised_biases_are_zero() -> None:
    conv = SeparableConv(4, 4, bias=True)
    init_scaled(conv)
    assert conv.pointwise.bias is not None
    assert not conv.pointwise.bias.any()
