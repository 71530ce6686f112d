"""Clusters on this machine beside the one of most tests: of several nodes, or with a dashboard."""

import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.console import ROOT

RAY: Final = str(Path(sys.executable).with_name("ray"))
STORE_BYTES: Final = 200 * 2**20
PATIENCE_S: Final = 600


@dataclass(frozen=True)
class Head:
    """Where the first node of a cluster listens."""

    gcs: str
    """For ``RAY_ADDRESS``, e.g. ``127.0.0.1:6379``."""
    dashboard: str
    """E.g. ``http://127.0.0.1:8265``."""
    metrics: str
    """Where Prometheus would ask."""


@contextmanager
def ray_head(env: Mapping[str, str], command: str = "", cpus: int = 2) -> Iterator[Head]:
    """Start ``ray start --head`` with its dashboard, on free ports.

    Args:
        env: Its environment.
        command: Words up to those that choose ports; else the plainest.
        cpus: That it says it has.
    """
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as short:
        gcs, dashboard, agent, metrics = (free_port() for _ in range(4))
        line = (
            f"{command or f'{RAY} start --head'} --port={gcs} --dashboard-port={dashboard}"
            f" --dashboard-agent-listen-port={agent} --metrics-export-port={metrics}"
            f" --block --num-cpus={cpus}"
            f" --temp-dir={short} --object-store-memory={STORE_BYTES}"
        )
        ports = f"http://127.0.0.1:{dashboard}", f"http://127.0.0.1:{metrics}/metrics"
        head = Head(f"127.0.0.1:{gcs}", *ports)
        no_drain = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}  # else it waits for actors
        process = _run(line, {**env, **no_drain})
        try:
            while not _answers(head, env):
                if process.poll() is not None:  # Ray gives a busy machine thirty seconds
                    _end(process, signal.SIGKILL)  # what it started may live and answer
                    process = _run(line, {**env, **no_drain})
                time.sleep(0.2)
            yield head
        finally:
            _end(process, signal.SIGTERM, signal.SIGKILL)


def _run(line: str, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        ["bash", "-c", line], env=env, stdout=quiet, stderr=quiet, start_new_session=True
    )


def _end(process: "subprocess.Popen[bytes]", *ways: signal.Signals) -> None:
    """End a group of processes, by the next way if one takes longer than a minute."""
    for way in ways:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, way)
            process.wait(60)


def _answers(head: Head, env: Mapping[str, str]) -> bool:
    token = env.get("RAY_AUTH_TOKEN")
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return httpx.get(f"{head.dashboard}/api/version", headers=bearer).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(said: Callable[[], object], state: Callable[[], object] = str) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: It does not become so; tells the ``state``.
    """
    end = time.monotonic() + PATIENCE_S
    while not said():
        if time.monotonic() > end:
            raise TimeoutError(state())
        time.sleep(0.2)


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
