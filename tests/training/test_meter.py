import math
from pathlib import Path

import pytest
import torch

from mgray.errors import DataError
from mgray.training.journal import read_rows
from mgray.training.meter import Meter
from mgray.training.port import LocalPort


@pytest.fixture
def meter(tmp_path: Path) -> Meter:
    return Meter(tmp_path, LocalPort(tmp_path), start=0, every=2, images_per_step=8)


def loss(value: float) -> dict[str, torch.Tensor]:
    return {"loss": torch.tensor(value)}


def test_a_row_is_the_mean_over_its_steps(meter: Meter, tmp_path: Path) -> None:
    for step, value in enumerate([1.0, 3.0, 5.0], start=1):
        meter.trained(step, loss(value), 0.5)
    (row,) = read_rows(tmp_path / "metrics.jsonl")
    assert (row["step"], row["loss"], row["learning_rate"]) == (2, 2.0, 0.5)
    assert row["images_per_s"] > 0


def test_validation_losses_are_divided_by_their_batches(meter: Meter, tmp_path: Path) -> None:
    assert meter.validated(4, ({"loss": 6.0, "similarity": 1.5}, 3)) == 2.0
    (row,) = read_rows(tmp_path / "metrics.jsonl")
    assert row == {"step": 4, "val_loss": 2.0, "val_similarity": 0.5}


def test_validation_writes_the_csv(meter: Meter, tmp_path: Path) -> None:
    meter.validated(0, ({"loss": 6.0}, 3))
    assert (tmp_path / "metrics.csv").read_text().split() == ["step,val_loss", "0,2.0"]


def test_no_validation_pairs_is_no_row_and_an_infinite_loss(meter: Meter, tmp_path: Path) -> None:
    assert meter.validated(0, ({}, 0)) == math.inf
    assert not read_rows(tmp_path / "metrics.jsonl")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_refused(meter: Meter, value: float) -> None:
    meter.trained(1, loss(value), 0.5)
    with pytest.raises(DataError, match="at step 2"):
        meter.trained(2, loss(1.0), 0.5)


def test_other_workers_write_nothing(tmp_path: Path) -> None:
    port = LocalPort(tmp_path)
    port.rank = 1
    Meter(tmp_path, port, start=0, every=1, images_per_step=8).trained(1, loss(1.0), 0.5)
    assert not (tmp_path / "metrics.jsonl").exists()
