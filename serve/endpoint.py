"""Routes of the ingress: DICOM in, JSON or DICOM out, on ``POST /v1/detect``."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response, Security
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPBearer
from ray import serve
from ray.serve import Deployment
from ray.serve.handle import DeploymentHandle
from starlette.middleware import Middleware

from mgray import __version__
from mgray.models.shelf import Shelf
from serve import model_card, page, pixels, samples, studies, v2
from serve.answers import Answer, Detected, Refusal, Timing
from serve.args import Args
from serve.calls import called_off, faults_told, replied
from serve.counts import CountRequests, count_refusal, observe_answer, render
from serve.exam import accepted, compose
from serve.filing import DICOM_ANSWER, Form, Wanted, Written, choose_form, dicom_response
from serve.gate import Gate
from serve.intake import MEDIA_TYPES, read_images
from serve.models import ModelListing, Models, default_name
from serve.openapi import Api
from serve.places import Places
from serve.problems import Problem, handlers, responses
from serve.readiness import is_ready

Handle = DeploymentHandle[Any]
_STATUSES: Final = (400, 404, 406, 413, 415, 422, 503, 504)
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

api = Api(
    title="mgray",
    version=__version__,
    description="Lesion detection on synthetic 2D mammograms. For research; not for diagnosis.",
    docs_url=None,  # would load scripts from another host
    redoc_url=None,
    responses=responses(401, 408, 414, 431),
    dependencies=[Security(HTTPBearer(auto_error=False))],  # told here, asked for by the gate
    middleware=[Middleware(CountRequests), Middleware(Gate)],
    exception_handlers=handlers(),
)

for _module in (model_card, page, pixels, samples, studies, v2):
    api.include_router(_module.router)


@serve.ingress(api)
class Endpoint:
    """HTTP; one replica, as it holds the counters.

    Args:
        decoder: Handle of the decoders.
        detector: Handle of the detectors.
        shelf: What can be asked for.
        args: Limits.
    """

    def __init__(self, decoder: Handle, detector: Handle, shelf: Shelf, args: Args) -> None:
        self.decoder, self.detector, self.args = decoder, detector, args
        self.models = Models(shelf, default_name(shelf, args.default_model))
        self.places = Places(args.max_images_held)

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
        self.models.choose(wanted.model, wanted.version)  # before the body is read
        bodies = await self.read(request, self.args.max_images)
        answer, written = await self.answer(bodies, form, wanted, started)
        return answer if written is None else dicom_response(written.objects)

    @api.get("/v1/models")
    async def list_models(self) -> list[ModelListing]:
        """Name the models that can be asked for."""
        return self.models.list()

    @api.get("/livez", response_class=PlainTextResponse)
    async def livez(self) -> str:
        """Tell that the ingress runs."""
        return "ok\n"

    @api.get("/readyz", response_class=PlainTextResponse, responses=responses(503))
    async def readyz(self) -> str:
        """Tell whether an image would be answered: every part is warm, or rests until asked."""
        name = serve.get_replica_context().app_name
        status = await asyncio.to_thread(serve.status)
        if not is_ready(status.applications[name].deployments.values()):
            raise Problem("unavailable")
        return "ok\n"

    @api.get("/metrics", response_class=PlainTextResponse)
    async def metrics(self) -> Response:
        """Figures for Prometheus."""
        return Response(render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def read(self, request: Request, most: int) -> list[bytes]:
        """Read a request's images, at most so many.

        Raises:
            Problem: A refusal; 503 before the first byte if there is no place for an image.
        """
        self.places.check()
        return await read_images(request, self.args.max_body_bytes, most)

    async def answer(
        self, bodies: Sequence[bytes], form: Form | None, wanted: Wanted, started: float
    ) -> tuple[Answer, Written | None]:
        """Answer for images that are there since now, of a request that began at ``started``.

        Raises:
            Problem: A refusal, or what befell a replica.
        """
        read_ms = (time.perf_counter() - started) * 1000
        with self.places.hold(len(bodies)), faults_told():
            async with asyncio.timeout(self.args.deadline_s):
                found, decoded = await self._ask_all(bodies, form, wanted)
                total_ms = (time.perf_counter() - started) * 1000
                answer = compose(found, Timing(read=read_ms, total=total_ms))
                observe_answer(answer)
                if form is None:
                    return answer, None
                return answer, await self._write(form, wanted, answer, decoded)

    async def _ask_all(
        self, bodies: Sequence[bytes], form: Form | None, wanted: Wanted
    ) -> tuple[list[Detected], list[Any]]:
        """Ask for all images at once; the first that fails ends the request.

        A current version that cannot be loaded is answered for by the one before it.
        """
        model, (replies, decoded) = await self.models.ask(
            wanted.model,
            wanted.version,
            lambda model: self._ask_each(bodies, model, form, wanted),
        )
        found = accepted(replies)
        self.models.answered(model, wanted.version)
        return found, decoded

    async def _ask_each(
        self, bodies: Sequence[bytes], model: str, form: Form | None, wanted: Wanted
    ) -> tuple[list[Detected | Refusal], list[Any]]:
        decoded = [self.decoder.remote(body, model, form) for body in bodies]
        detector = self.detector.options(multiplexed_model_id=model)
        asked = [
            asyncio.ensure_future(replied(detector.remote(one, model, wanted.contributions)))
            for one in decoded
        ]
        try:
            with called_off(*decoded):
                return await asyncio.gather(*asked), decoded
        finally:
            for one in asked:
                one.cancel()

    async def _write(
        self, form: Form, wanted: Wanted, answer: Answer, decoded: Sequence[Any]
    ) -> Written:
        if answer.exam.warnings:
            raise Problem("several_exams")
        reply = self.decoder.write.remote(form, wanted.fppi, answer, *decoded)
        with called_off(reply):
            written: Written | Refusal = await reply
        if isinstance(written, Refusal):
            count_refusal(written.reason)
            raise Problem(written.reason, written.detail)
        return written


ENDPOINT: Final[Deployment] = serve.deployment(
    max_ongoing_requests=128,
    ray_actor_options={"num_cpus": 0.1},
    health_check_period_s=1,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=10,
)(Endpoint)
