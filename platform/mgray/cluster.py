"""Which Ray a run uses: the cluster that ``RAY_ADDRESS`` names, or a small one of its own."""

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from mgray.errors import MgrayError

ADDRESS: Final = "RAY_ADDRESS"  # a submitted job finds its cluster's here
LOCAL_ENVIRONMENT: Final = {
    "RAY_AUTH_MODE": "disabled",  # no dashboard, nothing listens outside; unset means token
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # 15 by default: workers lose against anything else
}
OBJECT_STORE_BYTES: Final = 200 * 2**20  # only paths, counts and small tables travel


def start_ray(cpus: int | None = None) -> bool:
    """Join the cluster that ``RAY_ADDRESS`` names, else start a Ray of this process alone.

    A Ray that somebody started on this machine (``ray start``) is joined only by its address. What
    the environment says already is left as it is.

    Args:
        cpus: What a Ray started here gives out, however many the machine has: work that asks for
            more than there are would wait for ever. All of the machine's if not given.

    Returns:
        Whether this call started or joined one; ``ray.shutdown()`` then ends it or leaves it.

    Raises:
        MgrayError: The cluster cannot be joined.
    """
    import ray

    if ray.is_initialized():
        return False
    with handler_kept(signal.SIGTERM):
        if os.environ.get(ADDRESS):
            _join()
        else:
            _start(cpus)
    return True


@contextmanager
def handler_kept(number: signal.Signals) -> Iterator[None]:
    """Put back what handles a signal: Ray sets handlers of its own and leaves them there.

    Where nobody handled it, Ray's stays.
    """
    before = signal.getsignal(number)
    try:
        yield
    finally:
        mine = threading.current_thread() is threading.main_thread()  # others may set none
        if mine and callable(before):
            signal.signal(number, before)


@contextmanager
def simulated_nodes(cpus: Sequence[int]) -> Iterator[str]:
    """Start a cluster of several nodes on this machine, and end it; nobody joins it by itself.

    Args:
        cpus: Processors that each node gives out; the first is the head.

    Yields:
        What ``RAY_ADDRESS`` is to say.
    """
    from ray.cluster_utils import Cluster

    for name, value in LOCAL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        cluster = Cluster()
        try:
            for number, count in enumerate(cpus):
                told: dict[str, Any] = {
                    "num_cpus": count,
                    "object_store_memory": OBJECT_STORE_BYTES,
                }
                if number == 0:
                    told |= {"include_dashboard": False, "temp_dir": folder}
                cluster.add_node(**told)
            yield cluster.address
        finally:
            cluster.shutdown()


def _start(cpus: int | None) -> None:
    import ray

    for name, value in LOCAL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=OBJECT_STORE_BYTES,
        logging_level=logging.WARNING,
    )


def _join() -> None:
    import ray
    from ray.exceptions import RayError

    try:
        ray.init(log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, ValueError, RuntimeError, RayError) as error:
        raise MgrayError(
            f"no Ray cluster to join at {ADDRESS}={os.environ[ADDRESS]} ({type(error).__name__}): "
            f"expected HOST:PORT of a running head; unset {ADDRESS} to start a Ray here"
        ) from error
