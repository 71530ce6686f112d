"""What several rooms' tests share: one local Ray cluster."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_worker_niceness", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One small Ray for the whole run; workers import mgray from this checkout."""
    import ray

    path = os.pathsep.join([str(ROOT), str(ROOT / "platform"), os.environ.get("PYTHONPATH", "")])
    os.environ["PYTHONPATH"] = path.strip(os.pathsep)
    with tempfile.TemporaryDirectory(
        prefix="ray", dir="/tmp"
    ) as short:  # sockets: 107 bytes at most
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=200 * 2**20,
            _temp_dir=short,
        )
        yield
        ray.shutdown()
