"""The ingress as seen by routes that are plain functions: a FastAPI dependency."""

from typing import Annotated, Any

from fastapi import Depends
from ray import serve


async def _replica() -> Any:
    return serve.get_replica_context().servable_object


Replica = Annotated[Any, Depends(_replica)]
"""The ``serve.app.Endpoint`` that answers the request: its handles and its arguments."""
