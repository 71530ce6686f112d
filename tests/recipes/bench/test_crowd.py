import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mgray.errors import MgrayError
from mgray.recipes.bench import crowd as module
from mgray.recipes.bench.crowd import bad_client, crowd


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        server.settimeout(30)
        yield server


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_slow_client_holds_a_connection_and_says_little(listener: socket.socket) -> None:
    async def hold() -> bytes:
        task = asyncio.create_task(bad_client(url_of(listener), half_closed=False))
        await asyncio.sleep(0.2)
        connection, _ = listener.accept()
        with connection:
            await asyncio.sleep(1.2)
            said = connection.recv(1000)
        assert not task.done()
        task.cancel()
        return said

    assert asyncio.run(hold()).endswith(b"\r\nX-Slow: xx")


def test_half_of_them_close_their_side_and_all_end_with_the_block(listener: socket.socket) -> None:
    with ExitStack() as stack:
        with crowd(url_of(listener), 2):
            held = [stack.enter_context(listener.accept()[0]) for _ in range(4)]
            assert {one.recv(4) for one in held} == {b"POST"}
            assert sorted(map(_says_more, held)) == [False, False, True, True]
        assert all(map(_ends, held))


def _says_more(connection: socket.socket) -> bool:
    """Whether a client goes on after its first words; one that has closed its side does not."""
    connection.settimeout(10)
    return any(_take(connection) == b"x" for _ in range(3))


def _ends(connection: socket.socket) -> bool:
    """Whether nothing comes any more after what was on its way."""
    return any(_take(connection) == b"" for _ in range(10))


def _take(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1000)
    except ConnectionResetError:  # by a client that aborts
        return b""


def test_a_crowd_that_does_not_come_is_told(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMING_S", 0.001)
    with pytest.raises(MgrayError, match="crowd of 6 clients"), crowd(url_of(listener), 3):
        pass
