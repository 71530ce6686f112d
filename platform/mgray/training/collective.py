"""Sums over the workers of a run; in a single process they change nothing."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from jaxtyping import Shaped
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

T = TypeVar("T")


def is_distributed() -> bool:
    """Tell whether this process belongs to a group of workers."""
    return distributed.is_available() and distributed.is_initialized()


def world_size() -> int:
    """Return the number of workers; 1 without a group."""
    return distributed.get_world_size() if is_distributed() else 1


def sum_over_workers(value: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """Return the sum of a tensor over all workers; the argument is left unchanged."""
    total = value.detach().clone()
    if is_distributed():
        distributed.all_reduce(total)
    return total


def mean_over_workers(
    sums: Mapping[str, float], count: int, device: torch.device
) -> dict[str, float]:
    """Return each sum divided by the count, both summed over all workers.

    Args:
        sums: The same keys in the same order on every worker.
        count: What this worker's sums are over.
        device: Of the process group's backend: CPU for gloo, GPU for NCCL.
    """
    local = torch.tensor([*sums.values(), count], dtype=torch.float64, device=device)
    *totals, number = sum_over_workers(local).tolist()
    return {name: total / max(number, 1) for name, total in zip(sums, totals, strict=True)}


def as_worker_0_says(own: T) -> T:
    """Return worker 0's object to every worker; it is pickled on the way."""
    said = [own]
    if is_distributed():
        distributed.broadcast_object_list(said, src=0)
    return said[0]


def gather_from_workers(own: T) -> list[T]:
    """Return every worker's object, in the order of ranks; it is pickled on the way."""
    found = [own] * world_size()
    if is_distributed():
        distributed.all_gather_object(found, own)
    return found


@torch.no_grad()
def average_statistics(module: nn.Module) -> None:
    """Give all workers the same running statistics: the mean over workers, in place.

    While training, each worker's batch norms see its own share of every batch. The mean has heard
    of every image; one worker's statistics would leave the others' shares out. Batch norms in eval
    mode are left alone.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training]
    buffers = [b for norm in norms for b in (norm.running_mean, norm.running_var) if b is not None]
    if not buffers or not is_distributed():
        return
    mean = sum_over_workers(torch.cat(buffers)) / world_size()
    for buffer, value in zip(buffers, torch.split(mean, [len(b) for b in buffers]), strict=True):
        buffer.copy_(value)
