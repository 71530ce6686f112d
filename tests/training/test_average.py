"""EMA and SWA: the means are Torch's, the batch norms fit them, frozen ones keep theirs."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import BatchNorm2d
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from mgray.data.batches import Batch
from mgray.training.average import Average, recompute_statistics
from mgray.training.config import AverageConfig, TrainConfig
from mgray.training.task import Task

STEPS = 4


class Toy(Task):
    """One convolution and batch norm that learn, one of each that do not."""

    def __init__(self) -> None:
        super().__init__(TrainConfig())
        self.learning = nn.Sequential(nn.Conv2d(3, 2, 1), BatchNorm2d(2))
        self.fixed = nn.Sequential(nn.Conv2d(3, 2, 1), BatchNorm2d(2))
        self.freeze(self.fixed)

    def forward(self, batch: Batch, normaliser: Tensor | None = None) -> dict[str, Tensor]:
        image = batch.images["sm"]
        return {"loss": (self.learning(image) - self.fixed(image)).square().mean()}

    def product(self) -> nn.Module:
        return self.learning

    def networks(self) -> list[nn.Module]:
        return [self.learning]

    def normaliser(self, batch: Batch) -> Tensor:
        return torch.ones(())


def batch_of(seed: int) -> Batch:
    image = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    nobody = torch.zeros(2, dtype=torch.bool)
    boxes = {"sm": [torch.zeros(0, 4)] * 2}
    labels = [torch.zeros(0, dtype=torch.long)] * 2
    return Batch({"sm": image}, boxes, labels, nobody, nobody, torch.ones(2), [0, 1])


@pytest.fixture
def toy() -> Toy:
    torch.manual_seed(0)
    task = Toy()
    task.fixed[1].running_mean.fill_(3.0)
    return task.train()


def walk(toy: Toy, average: Average) -> list[list[Tensor]]:
    """Move the trained weights and count each place; return the places."""
    places = []
    for step in range(1, STEPS + 1):
        with torch.no_grad():
            for parameter in average.live:
                parameter.add_(torch.randn_like(parameter))
        average.update(step)
        places.append([p.detach().clone() for p in average.live])
    return places


def build(toy: Toy, **changes: object) -> Average:
    return Average(toy, AverageConfig.model_validate({"kind": "swa", **changes}), STEPS)


def test_swa_is_the_plain_mean_of_the_steps_that_count(toy: Toy) -> None:
    average = build(toy, start=0.5)
    places = walk(toy, average)[2:]
    for mean, *seen in zip(average.mean.module.parameters(), *places, strict=True):
        torch.testing.assert_close(mean, torch.stack(seen).mean(dim=0))


def test_ema_is_torchs(toy: Toy) -> None:
    average = build(toy, kind="ema", decay=0.75)
    wanted = AveragedModel(nn.ParameterList(average.live), multi_avg_fn=get_ema_multi_avg_fn(0.75))
    for place in walk(toy, average):
        wanted.update_parameters(nn.ParameterList(place))
    pairs = zip(average.mean.module.parameters(), wanted.module.parameters(), strict=True)
    assert all(torch.equal(mean, want) for mean, want in pairs)


def test_nothing_counts_before_the_start(toy: Toy) -> None:
    average = build(toy, start=0.9)
    average.update(3)
    assert not average.begun
    average.update(4)
    assert average.begun


def test_the_mean_is_lent_and_everything_comes_back(toy: Toy) -> None:
    average = build(toy)
    walk(toy, average)
    before = {name: value.clone() for name, value in toy.state_dict().items()}
    with average.applied([batch_of(0)]):
        for live, mean in zip(average.live, average.mean.module.parameters(), strict=True):
            assert torch.equal(live, mean)
        assert not torch.equal(toy.learning[1].running_mean, before["learning.1.running_mean"])
    assert all(torch.equal(value, before[name]) for name, value in toy.state_dict().items())


def test_statistics_are_those_of_torchs_update_bn(toy: Toy) -> None:
    batches = [batch_of(seed) for seed in range(3)]
    alone = nn.Sequential(nn.Conv2d(3, 2, 1), BatchNorm2d(2))
    alone.load_state_dict(toy.learning.state_dict())
    update_bn([batch.images["sm"] for batch in batches], alone)
    recompute_statistics(toy, batches)
    assert all(
        torch.equal(value, alone.state_dict()[name])
        for name, value in toy.learning.state_dict().items()
    )
    assert toy.learning[1].momentum == BatchNorm2d(2).momentum


def test_frozen_statistics_are_not_recomputed(toy: Toy) -> None:
    before = {name: value.clone() for name, value in toy.fixed.state_dict().items()}
    recompute_statistics(toy, [batch_of(0)])
    assert all(torch.equal(value, before[name]) for name, value in toy.fixed.state_dict().items())
