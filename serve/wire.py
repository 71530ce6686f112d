"""Limits on a connection before there is a request: headers that are endless or never end.

uvicorn has none of its own, and Serve gives no way to configure it; its protocol is therefore
replaced by a class of it, by the name that uvicorn looks up.
"""

import asyncio
from typing import Any, Final

import uvicorn.protocols.http.auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 32 * 2**10
HEAD_S: Final = 10.0
MAX_CONNECTIONS: Final = 4096


class BoundedProtocol(HttpToolsProtocol):
    """Close a connection whose request line and headers are too long or too slow.

    Also one beyond the most that may be open; a client that waits between requests is closed by
    Serve's ``keep_alive_timeout_s``.
    """

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock of the first request."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.close()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._head_done()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Count from here, unless the connection is new."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._head_timer is None:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Count while headers are read."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Stop the clock and hand over to the application."""
        self._head_done()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Leave a sender that was refused and sends on; TLS would hear it out for 30 s more."""
        super().on_response_complete()
        if self.transport.is_closing() and self.cycle.more_body:
            self.transport.abort()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _head_done(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def bound_connections() -> None:
    """Have every server that this process starts from now on use it."""
    uvicorn.protocols.http.auto.AutoHTTPProtocol = BoundedProtocol
