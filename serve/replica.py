"""The ingress as seen by routes that are plain functions: a FastAPI dependency."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import Depends
from ray import serve

from serve.calls import faults_told


async def _replica() -> Any:
    return serve.get_replica_context().servable_object


Replica = Annotated[Any, Depends(_replica)]
"""The ``serve.app.Endpoint`` that answers the request: its handles and its arguments."""


async def wait_for(here: Replica, reply: Awaitable[Any]) -> Any:
    """Wait for a reply of another replica, no longer than the deadline.

    Raises:
        Problem: 503, 504.
    """
    with faults_told():
        async with asyncio.timeout(here.args.deadline_s):
            return await reply
