"""What the endpoint says of itself at ``/openapi.json``."""

from typing import Any

from fastapi import FastAPI

from serve.gate import OPEN


class Api(FastAPI):
    """FastAPI whose description tells which routes need no token."""

    def openapi(self) -> dict[str, Any]:
        """Describe all routes; those that the gate leaves open ask for nothing."""
        document = super().openapi()
        for path in OPEN & document["paths"].keys():
            for operation in document["paths"][path].values():
                operation["security"] = []
        return document
