"""Miniatures go from their catalog to an image table in this process, without Ray and child."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgray.ingest.config import IngestConfig
from mgray.ingest.manifest import Manifest
from mgray.ingest.pseudonym import KEY_VARIABLE, Pseudonyms
from mgray.ingest.run import ingest_with
from tests.inline import Here
from tests.sources.mini_embed import Embed

KEY = "a key for tests"


@pytest.fixture(scope="session", autouse=True)
def key() -> Iterator[None]:
    """One pseudonym key for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, KEY)
        yield


@pytest.fixture
def embed(tmp_path: Path) -> Embed:
    """An empty EMBED."""
    return Embed(tmp_path / "embed")


@dataclass(frozen=True)
class Ingested:
    """A miniature's table.

    Args:
        rows: By path below the archive.
        refused: Path to reason.
        manifest: What the table holds.
        out: Its folder.
        ids: Of the dataset.
    """

    rows: dict[str, dict[str, Any]]
    refused: dict[str, str]
    manifest: Manifest
    out: Path
    ids: Pseudonyms

    def warnings(self) -> dict[str, int]:
        """Code to count of what a person should know."""
        return {one.code: one.count for one in self.manifest.warnings}


@pytest.fixture(scope="session")
def ingest_source() -> Callable[..., Ingested]:
    """Ingest a miniature: ``ingest_source("embed", archive, out)``."""

    def ingest(name: str, archive: Path, out: Path, **changes: Any) -> Ingested:
        told = {"source": name, "archive": archive, "out": out, "images_per_shard": 64}
        manifest = ingest_with(IngestConfig(**{**told, **changes}), Here)
        ids = Pseudonyms(KEY.encode(), name)
        files = (path for path in archive.rglob("*") if path.is_file())
        path_of = {
            ids.file(name): name
            for name in (path.relative_to(archive).as_posix() for path in files)
        }
        shards = [pq.read_table(path) for path in sorted((out / "images").glob("part-*"))]
        rows = {path_of[row["file_id"]]: row for row in pa.concat_tables(shards).to_pylist()}
        records = pq.read_table(out / "quarantine.parquet").to_pylist()
        refused = {path_of[one["file_id"]]: one["reason"] for one in records}
        return Ingested(rows, refused, manifest, out, ids)

    return ingest
