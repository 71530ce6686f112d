"""Work ahead in threads: bounded, in order, nothing left behind."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Pools", "in_order"]

Given = TypeVar("Given")
Made = TypeVar("Made")


class Pools:
    """Threads that wait for storage, and threads that decode; ended on leaving the context.

    A task of ``decoders`` may wait for tasks that were given in before it.

    Args:
        decoders: Threads that compute.
        readers: Threads that wait.
    """

    def __init__(self, decoders: int, readers: int) -> None:
        self.decoders = ThreadPoolExecutor(decoders, thread_name_prefix="mgray-data")
        self.readers = ThreadPoolExecutor(readers, thread_name_prefix="mgray-read")

    def __enter__(self) -> "Pools":
        return self

    def __exit__(self, *_: object) -> None:
        self.readers.shutdown(wait=False, cancel_futures=True)
        self.decoders.shutdown(cancel_futures=True)
        self.readers.shutdown()


def in_order(
    start: Callable[[Given], Future[Made]], items: Iterable[Given], ahead: int
) -> Iterator[Made]:
    """Yield what is made of each item, in their order, while the next ones are in the making.

    Args:
        start: Starts the work on an item.
        items: May be endless; taken only as needed.
        ahead: Items in the making beside the one that is waited for.
    """
    waiting: deque[Future[Made]] = deque()
    for item in items:
        waiting.append(start(item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
