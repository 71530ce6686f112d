"""Clients that mean ill, in a process of their own: an honest one must not wait for them here."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Final
from urllib.parse import urlsplit

from mgray.errors import MgrayError

COMING_S = 60.0
"""In which the process starts and its clients have begun."""
AGAIN_S: Final = 10.0
"""After which one that was cut off comes again: a slow one is held for as long."""
LAST: Final = 19
"""Niceness: they would sit on other machines and not take the endpoint's cores."""


@contextmanager
def crowd(url: str, size: int) -> Iterator[None]:
    """Hold as many slow and as many half-closed connections as ``size`` for a ``with`` block.

    Raises:
        MgrayError: They have not come within a minute.
    """
    spawn = get_context("spawn")
    here = spawn.Event()
    process = spawn.Process(target=_besiege, args=(url, size, here), daemon=True)
    process.start()
    try:
        if not here.wait(COMING_S):
            raise MgrayError(f"the crowd of {2 * size} clients has not come within {COMING_S:g} s")
        yield
    finally:
        process.kill()
        process.join()


def _besiege(url: str, size: int, here: Event) -> None:
    os.nice(LAST)
    asyncio.run(_all(url, size, here))


async def _all(url: str, size: int, here: Event) -> None:
    async with asyncio.TaskGroup() as group:
        for half in (True, False) * size:
            group.create_task(bad_client(url, half))
            await asyncio.sleep(AGAIN_S / (2 * size))  # they come one by one, and so again
        here.set()


async def bad_client(url: str, half_closed: bool) -> None:
    """Hold a connection and send a header's first bytes, one a second; if cut off, come again.

    A slow one is cut off after ten seconds, a half-closed one at once.
    """
    parts = urlsplit(url)
    while True:
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError:
            await asyncio.sleep(1)
            continue
        try:
            writer.write(b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            if half_closed:
                writer.write_eof()
                await reader.read()
                await asyncio.sleep(AGAIN_S)
            while not half_closed:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            await asyncio.sleep(1)
        finally:
            writer.transport.abort()
