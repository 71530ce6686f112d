"""Health and metadata as KServe's V2 protocol has them: for what already knows how to ask that.

Inference is ``POST /v1/detect`` alone: tensors are not a mammogram.

References:
    Open Inference Protocol, REST, v2: health, server metadata, model metadata.
"""

from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel

from mgray import __version__
from serve.models import ModelListing
from serve.problems import Problem, responses
from serve.replica import Replica

router = APIRouter(prefix="/v2")
PLATFORM: Final = "mgray_torch"


class Live(BaseModel, use_attribute_docstrings=True):
    """That the server runs."""

    live: bool = True
    """Always true."""


class Ready(BaseModel, use_attribute_docstrings=True):
    """That a request would be answered."""

    ready: bool = True
    """Always true; else the status is 503."""


class ModelReady(Ready):
    """That a request for a model would be answered."""

    name: str
    """Of the model."""


class ServerMetadata(BaseModel, use_attribute_docstrings=True):
    """What the server is."""

    name: str = "mgray"
    """Of the server."""
    version: str = __version__
    """Of the server."""
    extensions: list[str] = []
    """Of the protocol; none."""


class TensorMetadata(BaseModel, use_attribute_docstrings=True):
    """One input or output."""

    name: str
    """As in the body of ``POST /v1/detect``."""
    datatype: str = "BYTES"
    """Of the protocol."""
    shape: list[int] = [-1]
    """Any number."""


class ModelMetadata(BaseModel, use_attribute_docstrings=True):
    """What a model is."""

    name: str
    """As in ``?model=``."""
    versions: list[str]
    """As in ``?version=``."""
    platform: str = PLATFORM
    """What runs it."""
    inputs: list[TensorMetadata] = [TensorMetadata(name="image")]
    """DICOM files."""
    outputs: list[TensorMetadata] = [TensorMetadata(name="answer")]
    """JSON, or DICOM."""


@router.get("")
async def describe_server() -> ServerMetadata:
    """Name the server."""
    return ServerMetadata()


@router.get("/health/live")
async def live() -> Live:
    """Tell that the ingress runs."""
    return Live()


@router.get("/health/ready", responses=responses(503))
async def ready(here: Replica) -> Ready:
    """Tell whether an image would be answered, as ``/readyz``."""
    await here.readyz()
    return Ready()


@router.get("/models/{name}", responses=responses(404))
async def describe_model(name: str, here: Replica) -> ModelMetadata:
    """Name a model's versions."""
    found = _find(name, here.models.list())
    return ModelMetadata(name=found.name, versions=found.versions)


@router.get("/models/{name}/ready", responses=responses(404, 503))
async def model_ready(name: str, here: Replica) -> ModelReady:
    """Tell whether a model would answer: it has a current version, and the replicas run."""
    found = _find(name, here.models.list())
    if found.current is None:
        raise Problem("unavailable")
    await here.readyz()
    return ModelReady(name=found.name)


def _find(name: str, models: list[ModelListing]) -> ModelListing:
    for one in models:
        if one.name == name:
            return one
    raise Problem("unknown_model")
