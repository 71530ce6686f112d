"""A cluster of several nodes on this machine, some of which may be killed."""

import gc
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@contextmanager
def killable_nodes(**node: Any) -> Iterator[Any]:
    """A head of one more cluster; a node that dies is noticed soon."""
    from ray.cluster_utils import Cluster

    with (
        tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as short,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "platform")]))
        patch.setenv("RAY_health_check_initial_delay_ms", "1000")
        patch.setenv("RAY_health_check_period_ms", "500")
        patch.setenv("RAY_health_check_failure_threshold", "4")
        head = {"include_dashboard": False, "temp_dir": short}
        with sockets_left_open():
            found = Cluster(initialize_head=True, head_node_args=head | node)
        yield found
        with sockets_left_open():
            found.shutdown()


@contextmanager
def sockets_left_open() -> Iterator[None]:
    """Ray leaves sockets to the garbage collector: collect them here, where nobody minds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()
