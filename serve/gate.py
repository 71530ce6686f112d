"""The gate before everything: who may ask, and what one request and all together may hold.

An ASGI middleware, used twice. In Serve's proxy it takes in a whole body, bounded in size and time,
before anything is forwarded: the proxy itself would buffer without bound, and slow clients would
hold replicas. In the application it stands again, for a proxy that was started without it.

The proxy is told by ``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=serve.gate:proxy_middlewares``, in
the environment of ``ray start``. Settings come from the environment too, as both processes have it.
"""

import asyncio
import ipaddress
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal

from pydantic import Field
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mgray.config import Config, build
from serve.exchange import Body, GoneError, Reply, clean_headers
from serve.problems import Problem
from serve.tokens import Tokens

log = logging.getLogger("ray.serve")  # the proxy's own
PROXY_CALLBACK: Final = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
IN_PROXY: Final = "serve.gate:proxy_middlewares"
OPEN: Final = frozenset(
    {"/", "/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/-/healthz"}
)
OPEN_FOLDER: Final = "/page/"
"""The page's own files; like the routes above they tell nothing about anybody."""
REFUSED: Final = "mgray_gate_refused"
"""Ray's counter of refusals; Prometheus sees ``ray_mgray_gate_refused_total``."""


class GateConfig(Config):
    """Settings, each from the environment: ``MGRAY_AUTH`` for ``auth``."""

    auth: Literal["token", "none"] = "token"
    """Whether a token is asked for; with ``none`` only this machine is answered."""
    max_body_bytes: int = Field(default=50 * 2**20, ge=1)
    """Of one request, as sent."""
    max_held_bytes: int = Field(default=512 * 2**20, ge=1)
    """Of all requests under way in this process; beyond that the answer is 503."""
    body_idle_s: float = Field(default=10.0, gt=0)
    """Seconds without a byte until a body is given up with 408."""
    body_deadline_s: float = Field(default=120.0, gt=0)
    """Seconds that a whole body may take."""
    max_url_bytes: int = Field(default=2048, ge=1)
    """Of path and query."""
    max_headers: int = Field(default=64, ge=1)
    """Header lines."""
    max_header_bytes: int = Field(default=16 * 2**10, ge=1)
    """Of all header lines together."""


def gate_config(environ: Mapping[str, str] = os.environ) -> GateConfig:
    """Read the settings.

    Raises:
        ConfigError: A value that a field refuses.
    """
    names = {name: f"MGRAY_{name.upper()}" for name in GateConfig.model_fields}
    return build(
        GateConfig, {name: environ[key] for name, key in names.items() if environ.get(key)}
    )


def proxy_middlewares() -> list[Middleware]:
    """What Serve's proxy calls when it starts. Refusals are among Ray's own metrics, by code."""
    from ray.util.metrics import Counter

    from serve.wire import bound_connections

    bound_connections()
    refused = Counter(REFUSED, "Requests that the gate refused, by code.", tag_keys=("code",))
    return [Middleware(Gate, outermost=True, count=lambda code: refused.inc(tags={"code": code}))]


def check_environment(environ: Mapping[str, str] = os.environ) -> None:
    """Check settings and tokens before anything is started, and warn of a proxy without this gate.

    Raises:
        ConfigError: No token, or settings that are refused.
    """
    if gate_config(environ).auth == "token":
        Tokens(environ)
    if environ.get(PROXY_CALLBACK) != IN_PROXY:
        log.warning(
            "Serve's proxy holds bodies without bound: start Ray with %s=%s",
            PROXY_CALLBACK,
            IN_PROXY,
        )


class Gate:
    """Let a request in, or refuse it.

    Args:
        app: What stands behind.
        outermost: Whether requests come from outside, not from a proxy that has this gate.
        environ: Settings and tokens.
        count: Told the code of each refusal.

    Raises:
        ConfigError: No token, or settings that are refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        outermost: bool = False,
        environ: Mapping[str, str] = os.environ,
        count: Callable[[str], None] = lambda code: None,
    ) -> None:
        self.app, self.outermost, self.config = app, outermost, gate_config(environ)
        self.count = count
        self.tokens = Tokens(environ) if self.config.auth == "token" else None
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on with the whole body."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.outermost:
            scope["headers"] = clean_headers(scope["headers"])
        reply = Reply(scope, send, names_request=self.outermost)
        body = Body(receive)
        try:
            self._check(scope)
            async with self._taken_in(scope, body):
                await self.app(scope, body.replay, reply.send)
            if not reply.started:
                raise Problem("unavailable")  # Serve lost the replica: it returns without a word
        except Problem as problem:
            log.info("refused %s", problem.code)
            self.count(problem.code)
            await reply.refuse(problem)
            await body.drop()
            await reply.end()
        except GoneError:
            return

    def _check(self, scope: Scope) -> None:
        headers = scope["headers"]
        if (
            len(scope.get("raw_path") or b"") + len(scope["query_string"])
            > self.config.max_url_bytes
        ):
            raise Problem("url_too_long")
        size = sum(len(name) + len(value) for name, value in headers)
        if len(headers) > self.config.max_headers or size > self.config.max_header_bytes:
            raise Problem("headers_too_large")
        if not self._may_ask(scope):
            raise Problem("unauthorized")

    def _may_ask(self, scope: Scope) -> bool:
        if self.tokens is None:
            return _is_here(scope.get("client")) and _is_here(scope.get("server"))
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        fits = len(given) == 1 and self.tokens.fits(given[0].decode("latin-1"))
        return fits or _is_open(scope)

    @asynccontextmanager
    async def _taken_in(self, scope: Scope, body: "Body") -> AsyncIterator[None]:
        limit = 0 if _is_open(scope) else self.config.max_body_bytes
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced.lstrip(b"0")[:20] or b"0") > limit:
            raise Problem("too_large", f"the body may hold {limit} bytes")
        try:
            await self._take_in(body, limit)
            yield
        finally:
            self.held_bytes -= body.size

    async def _take_in(self, body: "Body", limit: int) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + self.config.body_deadline_s
        while not body.is_whole:
            try:
                async with asyncio.timeout_at(min(end, clock() + self.config.body_idle_s)):
                    taken = await body.take()
                    self.held_bytes += taken  # not before: others change it meanwhile
            except TimeoutError:
                raise Problem("slow_body") from None
            if body.size > limit:
                raise Problem("too_large", f"the body may hold {limit} bytes")
            if self.held_bytes > self.config.max_held_bytes:
                raise Problem("busy")


def _is_open(scope: Scope) -> bool:
    path = scope["path"]
    plain = path in OPEN or (path.startswith(OPEN_FOLDER) and ".." not in path)
    return plain and scope["method"] in ("GET", "HEAD")


def _is_here(address: tuple[str, int] | list[object] | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(str(address[0])).is_loopback
    except ValueError:
        return False
