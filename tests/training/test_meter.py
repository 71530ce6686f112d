import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mgray.data.batches import Batch
from mgray.errors import DataError
from mgray.training.config import TrainConfig
from mgray.training.journal import read_rows
from mgray.training.meter import Meter
from mgray.training.port import LocalPort

EVERY_SECOND = TrainConfig(log_every=2)


@pytest.fixture
def meter(tmp_path: Path) -> Meter:
    return Meter(tmp_path, LocalPort(tmp_path), 0, EVERY_SECOND, images_per_step=8)


def loss(value: float) -> dict[str, torch.Tensor]:
    return {"loss": torch.tensor(value)}


def test_a_row_is_the_mean_over_its_steps(meter: Meter, tmp_path: Path) -> None:
    for step, value in enumerate([1.0, 3.0, 5.0], start=1):
        meter.trained(step, loss(value), 0.5)
    (row,) = read_rows(tmp_path / "metrics.jsonl")
    assert (row["step"], row["loss"], row["learning_rate"]) == (2, 2.0, 0.5)
    assert row["images_per_s"] > 0


def test_what_validation_finds_is_named_so(meter: Meter, tmp_path: Path) -> None:
    meter.validated(4, {"loss": 2.0, "similarity": 0.5})
    (row,) = read_rows(tmp_path / "metrics.jsonl")
    assert row == {"step": 4, "val_loss": 2.0, "val_similarity": 0.5}


def test_validation_writes_the_csv(meter: Meter, tmp_path: Path) -> None:
    meter.validated(0, {"loss": 2.0})
    assert (tmp_path / "metrics.csv").read_text().split() == ["step,val_loss", "0,2.0"]


def test_no_validation_pairs_is_no_row(meter: Meter, tmp_path: Path) -> None:
    meter.validated(0, {})
    assert not read_rows(tmp_path / "metrics.jsonl")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_refused(meter: Meter, value: float) -> None:
    meter.trained(1, loss(value), 0.5)
    with pytest.raises(DataError, match="at step 2"):
        meter.trained(2, loss(1.0), 0.5)


def test_a_validation_between_two_rows_hides_no_loss(tmp_path: Path) -> None:
    meter = Meter(tmp_path, LocalPort(tmp_path), 0, TrainConfig(log_every=4), images_per_step=8)
    for step in (1, 2):
        meter.trained(step, loss(float(step)), 0.5)
    meter.validated(2, {"loss": 9.0})
    for step in (3, 4):
        meter.trained(step, loss(float(step)), 0.5)
    _, row = read_rows(tmp_path / "metrics.jsonl")
    assert (row["step"], row["loss"]) == (4, 2.5)


def test_what_no_row_has_told_is_told_before_a_state_is_saved(meter: Meter, tmp_path: Path) -> None:
    for step, value in enumerate([1.0, 3.0, 5.0], start=1):
        meter.trained(step, loss(value), 0.5)
    for _ in range(2):
        meter.flush()
    assert [row["loss"] for row in read_rows(tmp_path / "metrics.jsonl")] == [2.0, 5.0]
    meter.trained(4, loss(1.0), 0.5)
    meter.trained(5, loss(math.nan), 0.5)
    with pytest.raises(DataError, match="at step 5"):
        meter.flush()


def test_a_validation_is_no_time_of_a_step_but_all_else_is(tmp_path: Path) -> None:
    meter = Meter(tmp_path, LocalPort(tmp_path), 0, TrainConfig(log_every=2), images_per_step=8)
    for step in range(1, 5):
        meter.trained(step, loss(1.0), 0.5)
        if step % 2:
            time.sleep(0.5)
            meter.validated(step, {}, seconds=0.5 if step == 1 else 0.0)
    validated, slow = (row["images_per_s"] for row in read_rows(tmp_path / "metrics.jsonl"))
    assert validated > 2 * 8 / 0.5 > slow


def test_other_workers_write_nothing(tmp_path: Path) -> None:
    port = LocalPort(tmp_path)
    port.rank = 1
    meter = Meter(tmp_path, port, 0, TrainConfig(log_every=1, tensorboard=True), images_per_step=8)
    meter.trained(1, loss(1.0), 0.5)
    assert not list(tmp_path.iterdir())


def test_the_norm_of_a_skipped_step_is_left_out(meter: Meter, tmp_path: Path) -> None:
    for step in (1, 2):
        meter.trained(step, loss(1.0) | {"gradient_norm": torch.tensor(math.inf)}, 0.5)
    (row,) = read_rows(tmp_path / "metrics.jsonl")
    assert "gradient_norm" not in row


def test_the_port_sees_every_row(tmp_path: Path) -> None:
    shown: list[dict[str, float]] = []
    port = LocalPort(tmp_path)
    port.publish = lambda row: shown.append(dict(row))  # type: ignore[method-assign]
    Meter(tmp_path, port, 0, TrainConfig(), images_per_step=8).validated(3, {"loss": 2.0})
    assert shown == [{"step": 3, "val_loss": 2.0}]


def empty_batch() -> Batch:
    return Batch({}, {}, [], torch.zeros(0) > 0, torch.zeros(0) > 0, torch.ones(0), [])


def test_what_is_waited_for_is_told_as_a_share_of_the_time(meter: Meter, tmp_path: Path) -> None:
    batch = empty_batch()

    def slow() -> Iterator[Batch]:
        while True:
            time.sleep(0.05)
            yield batch

    batches = slow()
    for step in (1, 2):
        assert meter.next_of(batches) is batch
        meter.trained(step, loss(1.0), 0.5)
    for step in (3, 4):
        time.sleep(0.05)
        meter.next_of(iter([batch]))
        meter.trained(step, loss(1.0), 0.5)
    waited, idle = (row["input_wait"] for row in read_rows(tmp_path / "metrics.jsonl"))
    assert 0.5 < waited <= 1
    assert 0 <= idle < 0.5
