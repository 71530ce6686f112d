import torch

from mgray.training.collective import (
    as_worker_0_says,
    average_statistics,
    gather_from_workers,
    mean_over_workers,
    sum_over_workers,
    world_size,
)


def test_one_process_is_a_world_of_one() -> None:
    assert world_size() == 1


def test_a_sum_over_one_worker_is_its_value_and_no_alias() -> None:
    value = torch.tensor([1.0, 2.0])
    total = sum_over_workers(value)
    total += 1
    assert value.tolist() == [1.0, 2.0]


def test_means_divide_by_the_count() -> None:
    means = mean_over_workers({"loss": 6.0, "box_loss": 3.0}, 3, torch.device("cpu"))
    assert means == {"loss": 2.0, "box_loss": 1.0}


def test_nothing_counted_gives_no_means() -> None:
    assert mean_over_workers({}, 0, torch.device("cpu")) == {}


def test_statistics_of_one_process_stay_as_they_are() -> None:
    norm = torch.nn.BatchNorm1d(3).train()
    norm.running_mean = torch.tensor([0.1, 0.2, 0.3])
    average_statistics(norm)
    assert norm.running_mean.tolist() == torch.tensor([0.1, 0.2, 0.3]).tolist()


def test_one_process_gathers_and_hears_its_own_object() -> None:
    assert gather_from_workers({"a": 1}) == [{"a": 1}]
    assert as_worker_0_says("a") == "a"
