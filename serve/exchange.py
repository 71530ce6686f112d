"""One request on its way in and its answer on its way out, as the gate handles them."""

import asyncio
import re
import uuid
from contextlib import suppress
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from serve.problems import Problem

LINGER_S, LINGER_BYTES = 2.0, 2**22
"""How much of a refused body is still read and dropped, so that its sender sees the answer."""
_STEERING: Final = re.compile(
    rb"x-request-(timeout|disconnect).*|serve-multiplexed-.*|x-session-id"
)
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_STATUS_CODES: Final = {
    404: "not_found",
    405: "method_not_allowed",
    408: "deadline",
    500: "internal",
}


class GoneError(Exception):
    """The client hung up before its body was whole."""


class Body:
    """A request's body: taken in first, then given to the application, in one piece.

    Serve hands every message on by itself: the hundreds of a large body would cost as much again.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive, self._chunks, self._is_given = receive, list[bytes](), False
        self.size, self.is_whole = 0, False

    async def take(self) -> int:
        """Receive one message; returns its bytes."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        chunk = message.get("body", b"")
        self._chunks.append(chunk)
        self.size += len(chunk)
        self.is_whole = not message.get("more_body", False)
        return len(chunk)

    async def replay(self) -> Message:
        """ASGI's ``receive``: what was taken in, then whatever comes: the client hanging up."""
        if self._is_given:
            return await self._receive()
        self._is_given, body = True, b"".join(self._chunks)
        self._chunks.clear()
        return {"type": "http.request", "body": body, "more_body": False}

    async def drop(self) -> None:
        """Read on without keeping anything: closing at once would reset the connection."""
        self._chunks.clear()
        end = self.size + LINGER_BYTES
        with suppress(TimeoutError, GoneError):
            async with asyncio.timeout(LINGER_S):
                while not self.is_whole and self.size < end:
                    await self.take()
                    self._chunks.clear()


class Reply:
    """The answer on its way out: ours as it is, Serve's own words as problem+json."""

    def __init__(self, scope: Scope, send: Send, *, names_request: bool) -> None:
        self.scope, self._send, self._names_request = scope, send, names_request
        self.started = self._replaced = False

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        if message["type"] == "http.response.start":
            self._replaced = message["status"] >= 400 and _is_plain(message["headers"])
            self.started = not self._replaced
            if self._replaced:
                code = _STATUS_CODES.get(message["status"], "unavailable")
                await self.refuse(Problem(code))
                await self.end()
        if not self._replaced:
            await self._send(message)

    async def refuse(self, problem: Problem) -> None:
        """Send a whole error, but leave the connection for ``end``."""
        if self.started:
            return
        self.started = True
        response = problem.response()
        headers = [*response.raw_headers, (b"connection", b"close")]
        if self._names_request:
            headers.append((b"x-request-id", _request_id(self.scope["headers"])))
        await self._send(
            {"type": "http.response.start", "status": problem.status, "headers": headers}
        )
        body = b"" if self.scope["method"] == "HEAD" else bytes(response.body)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        """Close an error."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def clean_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Drop the headers that steer Serve, and replace a request id that is none."""
    kept = [
        (name, value)
        for name, value in headers
        if not _STEERING.fullmatch(name.replace(b"_", b"-")) and name != b"x-request-id"
    ]
    return [*kept, (b"x-request-id", _request_id(headers))]


def _request_id(headers: list[tuple[bytes, bytes]]) -> bytes:
    given = dict(headers).get(b"x-request-id", b"")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()


def _is_plain(headers: list[tuple[bytes, bytes]]) -> bool:
    return dict(headers).get(b"content-type", b"").startswith(b"text/plain")
