"""What can befall a call to a replica, as problems."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from ray.exceptions import ObjectLostError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import RayServeException

from serve.problems import Problem

_REPLICA_LOST: Final = (RayActorError, WorkerCrashedError, ObjectLostError, RayServeException)


@contextmanager
def faults_told() -> Iterator[None]:
    """Turn a lost replica and a deadline into problems."""
    try:
        yield
    except TimeoutError:
        raise Problem("deadline") from None
    except _REPLICA_LOST:
        raise Problem("unavailable") from None


@contextmanager
def called_off(*replies: Any) -> Iterator[None]:
    """Call off calls if the block fails, lest replicas work through them for nobody.

    Args:
        replies: What Serve's handles gave for the calls.
    """
    try:
        yield
    except BaseException:
        for one in replies:
            with suppress(Exception):  # one that could not be made fails again, as itself
                one.cancel()
        raise


async def replied(reply: Awaitable[Any]) -> Any:
    """Wait for a reply: a coroutine, of which a task can be made."""
    return await reply
