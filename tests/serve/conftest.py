"""One running endpoint with a small random model, and DICOM files to send."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from mgray.dicom.example import example_file
from mgray.models.saved import save_model
from mgray.models.shelf import Shelf
from tests.networks import small_meta, spread_model
from tests.serve.archive import Archive

MAX_BODY_BYTES = 500_000


def save_random_model(folder: Path, seed: int) -> Path:
    """Write a fused model with random weights whose scores spread."""
    meta = small_meta(
        thresholds={"fppi_0.5": 0.5, "fppi_1": 0.25}, domain={"pixel_spacing_mm": (0.05, 0.25)}
    )
    save_model(folder, spread_model(meta, seed), meta)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the endpoint serves: one model in one version, so far."""
    shelf = Shelf(tmp_path_factory.mktemp("models"))
    save_random_model(shelf.root / "fused" / "1", seed=0)
    shelf.choose("fused", "1")
    return shelf.root


@pytest.fixture(scope="session")
def model_folder(models: Path) -> Path:
    """The model that answers."""
    return Shelf(models).find("fused")


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one."""
    return save_random_model(tmp_path_factory.mktemp("other") / "fused", seed=1)


@pytest.fixture(scope="session")
def make_dicom() -> Callable[..., bytes]:
    """Build a synthetic 2D mammogram: noise in a breast; attributes can be changed."""

    def make(seed: int = 0, height: int = 300, **attributes: Any) -> bytes:
        stored = np.zeros((height, 200), np.uint16)
        noise = np.random.default_rng(seed).integers(500, 1000, (height - 80, 100))
        stored[40:-40, :100] = noise
        kind = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]
        return example_file(
            stored, **({"syntax": "j2k", "bits_stored": 10, "ImageType": kind} | attributes)
        )

    return make


@pytest.fixture(scope="session")
def archive() -> Iterator[Archive]:
    """An archive that answers to STOW-RS."""
    with Archive() as running:
        yield running


@pytest.fixture(scope="session")
def endpoint(ray_cluster: None, models: Path, archive: Archive) -> Iterator[str]:
    """Address of a running endpoint with small limits."""
    from ray import serve

    from serve.app import build

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    args = {
        "model": str(models),
        "max_body_bytes": MAX_BODY_BYTES,
        "max_images_held": 8,
        "results": archive.address,
        "sample_rows": 320,
    }
    serve.run(build(args), name="mgray")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


@pytest.fixture(scope="session")
def client(endpoint: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {os.environ['MGRAY_TOKEN']}"}
    with httpx.Client(base_url=endpoint, timeout=60, headers=headers) as client:
        yield client


@pytest.fixture(scope="session")
def detect(client: httpx.Client) -> Callable[..., httpx.Response]:
    """Post a body."""

    def post(body: Any, content_type: str = "application/dicom", **headers: str) -> httpx.Response:
        words = {name.replace("_", "-"): value for name, value in headers.items()}
        head = {"Content-Type": content_type} | words
        return client.post("/v1/detect", content=body, headers=head)

    return post
