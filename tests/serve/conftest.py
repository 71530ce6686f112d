"""One running endpoint with a small random model, and DICOM files to send."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from mgray.data.transforms import PreprocessConfig
from mgray.dicom.example import example_file
from mgray.models.config import DetectorConfig, FusionConfig
from mgray.models.folder import ModelMeta, build_model, save_model
from mgray.models.fused import TwoTrunks

MAX_BODY_BYTES = 500_000


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fused model with random weights whose scores spread."""
    torch.manual_seed(0)
    meta = ModelMeta(
        kind="fused",
        inputs=("sm",),
        detector=DetectorConfig(weights="none"),
        fusion=FusionConfig(init="random"),
        preprocess=PreprocessConfig(net_height=128, net_width=128).model_dump(),
        thresholds={"fppi_0.5": 0.5, "fppi_1": 0.25},
        domain={"pixel_spacing_mm": (0.05, 0.25)},
    )
    model = build_model(meta)
    assert isinstance(model, TwoTrunks)
    torch.nn.init.normal_(model.class_head.final.pointwise.weight, std=0.5)
    folder = tmp_path_factory.mktemp("run") / "fused"
    save_model(folder, model, meta)
    return folder


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
def endpoint(ray_cluster: None, model_folder: Path) -> Iterator[str]:
    """Address of a running endpoint with small limits."""
    from ray import serve

    from serve.app import build

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    args = {
        "model": str(model_folder),
        "max_body_bytes": MAX_BODY_BYTES,
        "max_queued_requests": 8,
        "sample_rows": 320,
    }
    serve.run(build(args), name="mgray")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


@pytest.fixture(scope="session")
def client(endpoint: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=endpoint, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def detect(client: httpx.Client) -> Callable[..., httpx.Response]:
    """Post a body."""

    def post(body: Any, content_type: str = "application/dicom", **headers: str) -> httpx.Response:
        words = {name.replace("_", "-"): value for name, value in headers.items()}
        head = {"Content-Type": content_type} | words
        return client.post("/v1/detect", content=body, headers=head)

    return post
