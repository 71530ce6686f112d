"""uvicorn with our protocol, on a real socket."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from serve import wire


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server whose clients have half a second for their headers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "HEAD_S", 0.5)
        patch.setattr(wire, "MAX_CONNECTIONS", 5)
        app = PlainTextResponse("ok")
        config = uvicorn.Config(app, http=wire.BoundedProtocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            run = server.serve(sockets=[listener])
            thread = threading.Thread(target=asyncio.run, args=(run,))
            thread.start()
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()[1]
            server.should_exit = True
            thread.join()


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        yield client


def answer(client: socket.socket) -> bytes:
    """All of an answer, which may come in two pieces."""
    told = b""
    while not told.endswith(b"\r\n\r\nok"):
        told += client.recv(1000)
    return told


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def test_requests_on_one_connection_are_answered(connection: socket.socket) -> None:
    for _ in range(3):
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200 OK" in answer(connection)


def test_headers_that_never_end_are_cut_off(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\n")
    began = time.monotonic()
    assert is_closed(connection)
    assert 0.3 < time.monotonic() - began < 30


def test_a_client_that_says_nothing_is_cut_off(connection: socket.socket) -> None:
    assert is_closed(connection)


def test_a_second_request_has_a_clock_too(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b"200 OK" in answer(connection)
    connection.sendall(b"GET / HT")
    assert is_closed(connection)


def test_a_body_may_take_longer_than_headers(connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n")
    assert b"200 OK" in answer(connection)
    time.sleep(0.7)
    connection.sendall(b"xxGET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b"200 OK" in answer(connection)


def test_endless_headers_are_cut_off(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\n")
    lines = (b"x: " + b"y" * 1000 + b"\r\n") * 100_000
    with pytest.raises(ConnectionError):
        connection.sendall(lines)


def test_one_connection_too_many_is_closed(port: int) -> None:
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(5)]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as one_more:
            began = time.monotonic()
            assert is_closed(one_more)
            assert time.monotonic() - began < 0.45  # headers have half a second
    finally:
        for client in clients:
            client.close()


def test_uvicorn_takes_it_by_name() -> None:
    from uvicorn.protocols.http import auto

    before = auto.AutoHTTPProtocol
    try:
        wire.bound_connections()
        config = uvicorn.Config(PlainTextResponse("ok"))
        config.load()
        assert config.http_protocol_class is wire.BoundedProtocol
    finally:
        auto.AutoHTTPProtocol = before
