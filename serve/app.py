"""The endpoint: ``serve run serve.app:build model=runs/NAME/models/fused``.

DICOM in, JSON out, on ``POST /v1/detect``. Listens on loopback unless told otherwise; there is no
authentication yet, so keep it there.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import click
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field
from ray import serve
from ray.serve import Deployment
from ray.serve.handle import DeploymentHandle
from starlette.middleware import Middleware

from mgray import __version__
from mgray.config import Config
from mgray.config import build as build_config
from mgray.dicom.limits import Limits
from mgray.errors import ConfigError, MgrayError
from serve import model_card, page, pixels, samples
from serve.answers import Answer, Detected, Refusal, Timing
from serve.calls import faults_told
from serve.counts import CountRequests, observe_answer, render
from serve.exam import accepted, compose
from serve.filing import DICOM_ANSWER, Form, Wanted, choose_form, dicom_response
from serve.intake import MEDIA_TYPES, read_images
from serve.problems import Problem, handlers, responses

Handle = DeploymentHandle[Any]
_STATUSES: Final = (400, 406, 413, 415, 422, 503, 504)


class Args(Config):
    """What ``serve run serve.app:build key=value ...`` and ``args:`` of a config file take."""

    model: str
    """Model folder; it must take one image."""
    device: str = "cpu"
    """Where the network runs: ``cpu`` or ``cuda``."""
    batch_size: int = Field(default=1, ge=1)
    """Images in one forward pass, always: a smaller group is padded. Above 1 only on a GPU."""
    max_batch_size: int = Field(default=4, ge=1)
    """Waiting images that a detector takes at once."""
    batch_wait_timeout_s: float = Field(default=0.005, ge=0)
    """How long a detector waits for more images."""
    max_body_bytes: int = Field(default=50 * 2**20, ge=1)
    """Bytes of a request's body."""
    max_queued_requests: int = Field(default=16, ge=1)
    """Images that may wait for a decoder; beyond that the answer is 503."""
    max_images: int = Field(default=16, ge=1)
    """Images in one request."""
    deadline_s: float = Field(default=60.0, gt=0)
    """Seconds until a request is given up with 504."""
    sample_rows: int = Field(default=1024, ge=320, multiple_of=16)
    """Height of the virtual patients' images that the page offers, pixels."""


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "One DICOM file as it is, or several of one exam as parts of a multipart "
        "body; Content-Encoding: gzip is read.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES
        }
        | {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "format": "binary"},
                }
            }
        },
    }
}

api = FastAPI(
    title="mgray",
    version=__version__,
    description="Lesion detection on synthetic 2D mammograms. For research; not for diagnosis.",
    docs_url=None,  # would load scripts from another host
    redoc_url=None,
    middleware=[Middleware(CountRequests)],
    exception_handlers=handlers(),
)

for _module in (model_card, page, pixels, samples):
    api.include_router(_module.router)


@serve.ingress(api)
class Endpoint:
    """HTTP; one replica, as it holds the counters.

    Args:
        decoder: Handle of the decoders.
        detector: Handle of the detectors.
        args: Limits.
    """

    def __init__(self, decoder: Handle, detector: Handle, args: Args) -> None:
        self.decoder, self.detector, self.args = decoder, detector, args

    @api.post(
        "/v1/detect",
        response_model=Answer,
        openapi_extra=_BODY,
        responses=responses(*_STATUSES) | {200: DICOM_ANSWER},
    )
    async def detect(
        self, request: Request, wanted: Annotated[Wanted, Query()]
    ) -> Answer | Response:
        """Detect lesions on the images of one exam; boxes are in each DICOM's own pixels."""
        started = time.perf_counter()
        form = choose_form(request.headers.get("accept"), wanted)
        bodies = await read_images(request, self.args.max_body_bytes, self.args.max_images)
        read_ms = (time.perf_counter() - started) * 1000
        with faults_told():
            async with asyncio.timeout(self.args.deadline_s):
                found, decoded = await self._ask_all(bodies, form, wanted)
                total_ms = (time.perf_counter() - started) * 1000
                answer = compose(found, Timing(read=read_ms, total=total_ms))
                observe_answer(answer)
                if form is None:
                    return answer
                return await self._file(form, wanted, answer, decoded)

    @api.get("/livez", response_class=PlainTextResponse)
    async def livez(self) -> str:
        """Tell that the ingress runs."""
        return "ok\n"

    @api.get("/readyz", response_class=PlainTextResponse, responses=responses(503))
    async def readyz(self) -> str:
        """Tell whether an image would be answered: every deployment has a warm replica."""
        name = serve.get_replica_context().app_name
        status = await asyncio.to_thread(serve.status)
        for deployment in status.applications[name].deployments.values():
            if not any(state == "RUNNING" for state in deployment.replica_states):
                raise Problem("unavailable")
        return "ok\n"

    @api.get("/metrics")
    async def metrics(self) -> Response:
        """Figures for Prometheus."""
        return Response(render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _ask_all(
        self, bodies: Sequence[bytes], form: Form | None, wanted: Wanted
    ) -> tuple[list[Detected], list[Any]]:
        """Ask for all images at once; the first that fails ends the request."""
        decoded = [self.decoder.remote(body, form) for body in bodies]
        asked = [asyncio.ensure_future(self._detect(one, wanted.contributions)) for one in decoded]
        try:
            return accepted(await asyncio.gather(*asked)), decoded
        finally:
            for one in asked:
                one.cancel()

    async def _detect(self, decoded: Any, contributions: bool) -> Detected | Refusal:
        reply: Detected | Refusal = await self.detector.remote(decoded, contributions)
        return reply

    async def _file(
        self, form: Form, wanted: Wanted, answer: Answer, decoded: Sequence[Any]
    ) -> Response:
        if answer.exam.warnings:
            raise Problem("several_exams")
        written = await self.decoder.write.remote(form, wanted.fppi, answer, *decoded)
        if isinstance(written, Refusal):
            raise Problem(written.reason, written.detail)
        return dicom_response(written)


ENDPOINT: Final[Deployment] = serve.deployment(
    max_ongoing_requests=128,
    ray_actor_options={"num_cpus": 0.1},
    health_check_period_s=5,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Endpoint)


def build(args: dict[str, Any]) -> serve.Application:
    """Assemble the application; nothing is loaded before Ray starts the replicas.

    Args:
        args: The fields of ``Args``, as text or typed.

    Raises:
        NotFoundError: No such model folder, or no weights in it.
        ConfigError: A key or value that ``Args`` refuses, or a model that needs two images.
        ClickException: Any of these, in one line, on the command line of ``serve run``.
    """
    try:
        return _assemble(build_config(Args, args))
    except MgrayError as error:
        if click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(str(error)) from None


def _assemble(args: Args) -> serve.Application:
    from mgray.data.transforms import PreprocessConfig
    from mgray.models.folder import read_meta
    from serve.decoder import DECODER
    from serve.detector import DETECTOR

    folder = Path(args.model).resolve()
    meta = read_meta(folder)
    if len(meta.inputs) != 1:
        raise ConfigError(
            f"model={args.model} takes {' and '.join(meta.inputs)}: serve fused or sm"
        )
    preprocess = build_config(PreprocessConfig, meta.preprocess)
    limits = Limits(max_file_bytes=args.max_body_bytes)
    batching = {
        "max_batch_size": args.max_batch_size,
        "batch_wait_timeout_s": args.batch_wait_timeout_s,
    }
    return ENDPOINT.bind(
        DECODER.options(max_queued_requests=args.max_queued_requests).bind(
            meta.inputs[0], preprocess, meta.domain, limits
        ),
        DETECTOR.options(user_config=batching).bind(folder, args.device, args.batch_size),
        args,
    )
