"""One step: every option leaves the loss and the gradient where they should be."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from mgray.config import replace
from mgray.data.batches import Batch
from mgray.models.config import DetectorConfig, LossConfig
from mgray.models.efficientdet import EfficientDet
from mgray.training.config import DistillationConfig, OptimizerConfig, TrainConfig
from mgray.training.step import Learner, build_learner, split, train_step
from mgray.training.task import DetectionTask, DistillationTask, Task

CONFIG = DetectorConfig(weights="none")
STILL = TrainConfig(batch_norm="eval")


@cache
def detector(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return EfficientDet(CONFIG).state_dict()


def build(seed: int = 0) -> EfficientDet:
    model = EfficientDet(CONFIG)
    model.load_state_dict(detector(seed))
    return model


def detection(train: TrainConfig) -> Task:
    return DetectionTask(build(), ("sm",), LossConfig(), train)


def distillation(train: TrainConfig) -> Task:
    student, teacher = build(), build(1)
    torch.manual_seed(2)
    return DistillationTask(student, teacher, DistillationConfig(), train)


def batch_of(boxes: list[list[list[float]]]) -> Batch:
    """One image of 128x128 for each list of boxes; the boxes are malignant."""
    random = torch.Generator().manual_seed(3)
    size = len(boxes)
    tensors = [torch.tensor(some, dtype=torch.float32).reshape(-1, 4) for some in boxes]
    return Batch(
        images={k: torch.randn(size, 3, 128, 128, generator=random) for k in ("sm", "ffdm")},
        boxes=dict.fromkeys(("sm", "ffdm"), tensors),
        labels=[torch.ones(len(some), dtype=torch.long) for some in tensors],
        positive=torch.tensor([bool(some) for some in boxes]),
        masked=torch.zeros(size, dtype=torch.bool),
        weights=torch.ones(size),
        pair_indices=list(range(size)),
    )


BATCH = batch_of([[], [[30, 30, 90, 90], [5, 70, 40, 110]]])
ONE = batch_of([[[10, 10, 50, 60]]])


def steps(
    make: Callable[[TrainConfig], Task],
    train: TrainConfig = STILL,
    optimizer: OptimizerConfig | None = None,
    batch: Batch = BATCH,
) -> tuple[list[float], Learner]:
    """Losses of two steps, or of one on a single image, and who took them."""
    config = optimizer or OptimizerConfig()
    learner = build_learner(make(train).train(), 2, train, config)
    losses = [
        train_step(learner.task, batch, learner, 1e-4, config)["loss"] for _ in batch.labels[:2]
    ]
    return [float(loss) for loss in losses], learner


plain = cache(steps)


@cache
def plain_one() -> list[float]:
    return steps(detection, batch=ONE)[0]


@pytest.mark.parametrize(
    ("changes", "tolerance"),
    [
        ({"channels_last": True}, 1e-5),
        ({"precision": "float16"}, 5e-3),
        ({"precision": "bfloat16"}, 2e-2),
    ],
    ids=["channels_last", "float16", "bfloat16"],
)
def test_an_option_leaves_the_loss_where_it_is(
    changes: dict[str, object], tolerance: float
) -> None:
    losses, _ = steps(detection, replace(STILL, changes), batch=ONE)
    assert losses == pytest.approx(plain_one(), rel=tolerance)


class Network(nn.Module):
    """Shapes in signatures are checked under test, which cannot be traced: a network without."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU())

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


class Toy(Task):
    def __init__(self, train: TrainConfig) -> None:
        super().__init__(train)
        torch.manual_seed(0)
        self.model = Network()

    def forward(self, batch: Batch, normaliser: Tensor | None = None) -> dict[str, Tensor]:
        return {"loss": self.model(batch.images["sm"]).square().mean()}

    def networks(self) -> list[nn.Module]:
        return [self.model]

    def product(self) -> nn.Module:
        return self.model

    def normaliser(self, batch: Batch) -> Tensor:
        return torch.ones(())


def test_compiled_networks_leave_the_loss_where_it_is() -> None:
    wanted, _ = steps(Toy)
    counters.clear()
    losses, learner = steps(Toy, replace(STILL, {"compile": "eager"}))
    assert counters["stats"]["unique_graphs"] > 0
    assert losses == pytest.approx(wanted, rel=1e-6)
    assert learner.task.state_dict().keys() == Toy(STILL).state_dict().keys()


@pytest.mark.parametrize("make", [detection, distillation])
@pytest.mark.parametrize("number", [2, 9])
def test_parts_of_a_batch_add_up_to_its_loss_and_gradient(
    make: Callable[[TrainConfig], Task], number: int
) -> None:
    losses, learner = steps(make, optimizer=OptimizerConfig(accumulate=number))
    wanted, whole = plain(make)
    assert losses == pytest.approx(wanted, rel=1e-5)
    for got, want in zip(learner.task.parameters(), whole.task.parameters(), strict=True):
        torch.testing.assert_close(got.grad, want.grad, rtol=1e-3, atol=1e-4)


def test_unequal_shares_of_stage_two_have_the_mean_of_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two workers, of two images and of one: DDP takes the mean of their gradients."""
    three = batch_of([[], [[30, 30, 90, 90]], [[5, 70, 40, 110]]])
    task = distillation(STILL).train()
    wanted = task(three)["loss"]
    monkeypatch.setattr("mgray.training.task.world_size", lambda: 2)
    monkeypatch.setattr("mgray.training.task.sum_over_workers", lambda own: 0 * own + 3)
    shares = [task(part)["loss"] for part in split(three, 2)]
    torch.testing.assert_close((shares[0] + shares[1]) / 2, wanted)


def test_the_local_normaliser_is_that_of_the_workers_whole_share() -> None:
    train = replace(STILL, {"normaliser": "local"})
    losses, _ = steps(detection, train, OptimizerConfig(accumulate=2))
    assert losses == pytest.approx(plain(detection)[0], rel=1e-5)  # one worker: local is global


def test_parts_hold_every_image_once_in_order() -> None:
    parts = split(BATCH, 2)
    assert [part.pair_indices for part in parts] == [[0], [1]]
    assert torch.equal(torch.cat([part.images["sm"] for part in parts]), BATCH.images["sm"])
    assert [len(part.boxes["ffdm"]) for part in parts] == [1, 1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_batch_without_boxes_has_a_finite_loss_and_gradient(precision: str) -> None:
    train = replace(STILL, {"precision": precision})
    losses, learner = steps(detection, train, batch=batch_of([[]]))
    assert all(0 < loss < 100 for loss in losses)
    assert all(p.grad is None or p.grad.isfinite().all() for p in learner.task.parameters())


def test_a_step_whose_gradient_overflows_is_skipped_and_the_scale_lowered() -> None:
    train, config = replace(STILL, {"precision": "float16"}), OptimizerConfig()
    learner = build_learner(detection(train).train(), 1, train, config)
    learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": 1e38})
    before = [p.clone() for p in learner.task.parameters()]
    losses = train_step(learner.task, ONE, learner, 1e-4, config)
    assert not losses["gradient_norm"].isfinite()
    assert all(map(torch.equal, learner.task.parameters(), before))
    assert learner.scaler.get_scale() == pytest.approx(5e37)


def test_channels_last_turns_the_weights_too() -> None:
    _, learner = steps(detection, replace(STILL, {"channels_last": True}), batch=ONE)
    kernels = [p for p in learner.task.parameters() if p.ndim == 4 and min(p.shape[1:]) > 1]
    assert kernels
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)


def test_without_a_limit_the_gradient_is_left_as_it_is() -> None:
    _, learner = steps(detection, optimizer=OptimizerConfig(clip_norm=None), batch=ONE)
    gradients = [p.grad for p in learner.task.parameters() if p.grad is not None]
    _, clipped = steps(detection, optimizer=OptimizerConfig(clip_norm=1e-3), batch=ONE)
    small = [p.grad for p in clipped.task.parameters() if p.grad is not None]
    assert torch.nn.utils.get_total_norm(gradients) > 1
    assert torch.nn.utils.get_total_norm(small) == pytest.approx(1e-3, rel=1e-3)
