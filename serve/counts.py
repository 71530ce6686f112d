"""What ``GET /metrics`` shows as Prometheus' text. Labels are routes, statuses and codes."""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.answers import Answer

disable_created_metrics()  # a second series for each, which tells when it began
_REGISTRY: Final = CollectorRegistry()
_REQUESTS: Final = Counter(
    "mgray_requests", "Answers, by route and HTTP status.", ["route", "status"], registry=_REGISTRY
)
_REFUSED: Final = Counter(
    "mgray_refused", "Images that were refused, by reason.", ["code"], registry=_REGISTRY
)
_HELD: Final = Gauge("mgray_images_held", "Images that wait or are worked on.", registry=_REGISTRY)
_SECONDS: Final = Histogram(
    "mgray_stage_seconds",
    "Time in a stage: of one image, or (read, total) of a request.",
    ["stage"],
    registry=_REGISTRY,
)


class CountRequests:
    """Middleware: count every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count its answer; a failure will be answered with 500."""
        started = False

        def count(status: int) -> None:
            _REQUESTS.labels(getattr(scope.get("route"), "path", "other"), status).inc()

        async def counting(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                count(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, counting)
        except Exception:
            if not started:
                count(500)
            raise


def count_refusal(code: str) -> None:
    """Count one refused image."""
    _REFUSED.labels(code).inc()


def observe_held(images: int) -> None:
    """Note how many images are held now."""
    _HELD.set(images)


def observe(stage: str, milliseconds: float) -> None:
    """Note how long a stage took for one image."""
    _SECONDS.labels(stage).observe(milliseconds / 1000)


def observe_answer(answer: Answer) -> None:
    """Note the times of one answer: of each image's stages, and of the whole."""
    for one in answer.images:
        for stage, milliseconds in one.timing_ms.model_dump().items():
            observe(stage, milliseconds)
    for stage, milliseconds in answer.timing_ms.model_dump().items():
        observe(stage, milliseconds)


def render() -> bytes:
    """All figures as text."""
    return generate_latest(_REGISTRY)
