"""What several rooms' tests share: one local Ray cluster, tables, and how one is finished."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_worker_niceness", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ["MGRAY_TOKEN"] = "a-token-for-tests-only"
os.environ["MGRAY_BODY_IDLE_S"] = "4"
os.environ["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] = "serve.gate:proxy_middlewares"

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow ones, so that no process ends long after the others."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal files to processes; those with slow tests go in two lines, one after the other each.

    More than two at once starve each other on two cores.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Dealer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return lines.get(file, file)

    lines = slow_lines()
    return Dealer(config, log)


def slow_lines() -> dict[str, str]:
    """Which line each file with slow tests stands in."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    slow = [path for path in files if "pytest.mark.slow" in path.read_text()]
    names = [path.relative_to(ROOT).as_posix() for path in slow]
    return {name: f"slow line {place % 2}" for place, name in enumerate(names)}


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


@pytest.fixture(scope="session")
def finish_table() -> Callable[[Path], Path]:
    """Finish shards that a test wrote by hand, as ingest does; returns the table's folder."""
    import pyarrow.parquet as pq

    from mgray.files import sha256_of
    from mgray.ingest.index import write_index

    def finish(folder: Path) -> Path:
        shards = sorted((folder / "images").glob("part-*.parquet"))
        for shard in shards:
            told = {"row_group_size": 1, "use_dictionary": False, "write_page_checksum": True}
            pq.write_table(pq.read_table(shard), shard, compression={"pixels": "NONE"}, **told)
        hashes = {shard.name: sha256_of(shard) for shard in shards}
        index = {"sha256": write_index(folder, hashes)}
        told = [{"file": shard.name, "bytes": shard.stat().st_size} for shard in shards]
        content = hashlib.sha256(b"".join(shard.read_bytes() for shard in shards)).hexdigest()
        manifest = {"shards": told, "content_sha256": content, "index": index}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return finish


@pytest.fixture(scope="session")
def phantom_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten small virtual exams as DICOM; every split gets some."""
    from mgray.phantom.archive import write_archive
    from mgray.phantom.config import PhantomConfig

    folder = tmp_path_factory.mktemp("phantom") / "archive"
    small = {"height": 256, "width": 208, "pixel_mm": 0.5, "finding_share": 0.9}
    write_archive(PhantomConfig(out=folder, exams=10, seed=3, workers=1, **small))
    return folder


@pytest.fixture(scope="session")
def phantom_table(
    ray_cluster: None, phantom_archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The image table of ``phantom_archive``."""
    from mgray.ingest.config import IngestConfig
    from mgray.ingest.pipeline import ingest

    folder = tmp_path_factory.mktemp("table") / "table"
    ingest(IngestConfig(source="phantom", archive=phantom_archive, out=folder, workers=2))
    return folder
