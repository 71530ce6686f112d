import math

import torch

from mgray.models.anchors import ANCHORS_PER_CELL
from mgray.models.config import ARCHITECTURES
from mgray.models.heads import Head, start_at_prior, widen

LITE = ARCHITECTURES["efficientdet_lite0"]


def maps(channels: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, channels, 16 >> i, 16 >> i, generator=generator) for i in range(5)]


def head() -> Head:
    torch.manual_seed(0)
    return Head(4, LITE, momentum=0.1).eval()


def test_a_head_predicts_for_nine_anchors_per_cell() -> None:
    cells = [256 >> (2 * i) for i in range(5)]
    shapes = [tuple(out.shape) for out in head()(maps(64))]
    assert shapes == [(1, n * ANCHORS_PER_CELL, 4) for n in cells]


def test_predictions_run_by_row_column_and_anchor() -> None:
    model = head()
    model.final.pointwise.weight.data.zero_()
    assert model.final.pointwise.bias is not None
    model.final.pointwise.bias.data.copy_(torch.arange(36.0))
    expected = torch.arange(36.0).reshape(9, 4).repeat(256, 1)
    assert torch.equal(model(maps(64))[0][0], expected)


def test_convolutions_are_shared_and_norms_are_not() -> None:
    names = {name for name, _ in head().named_modules()}
    assert {f"norms.2.{level}" for level in range(5)} <= names
    assert len([n for n in names if n.startswith("convs.") and n.count(".") == 1]) == 3


def test_the_prior_is_one_in_a_hundred() -> None:
    model = head()
    start_at_prior(model)
    assert model.final.pointwise.bias is not None
    bias = model.final.pointwise.bias.detach()
    torch.testing.assert_close(torch.sigmoid(bias), torch.full((36,), 0.01))
    assert float(bias[0]) == -torch.tensor(math.log(99)).item()


def test_a_blind_head_gives_the_narrow_ones_output_bit_by_bit() -> None:
    narrow, wide = head(), head()
    widen(wide, blind=True)
    halves = [torch.cat(pair, dim=1) for pair in zip(maps(64), maps(64, seed=1), strict=True)]
    assert all(map(torch.equal, narrow(maps(64)), wide(halves)))


def test_a_blind_head_can_learn_to_see() -> None:
    wide = head()
    widen(wide, blind=True)
    sum(out.square().mean() for out in wide(maps(128))).backward()
    grad = wide.convs[0].second.pointwise.weight.grad
    assert grad is not None
    assert bool(grad.any())


def test_a_head_drawn_anew_sees_both_halves() -> None:
    wide = head()
    widen(wide, blind=False)
    one, two = maps(128), maps(128)
    for features in two:
        features[:, 64:] += 1
    assert not torch.equal(wide(one)[0], wide(two)[0])


def test_a_head_drawn_anew_keeps_the_scale_of_its_first_layer() -> None:
    narrow, wide = head(), head()
    widen(wide, blind=False)
    before = narrow.convs[0](maps(64)[0]).std()
    after = wide.convs[0](maps(128)[0]).std()
    assert 0.7 < float((after / before).detach()) < 1.4
