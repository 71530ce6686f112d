"""Errors as ``application/problem+json``: what a client may be told, and nothing else.

References:
    RFC 9457.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mgray.errors import REJECT_REASONS

# Refusals of the decoder that are not 422: the image is not what the client says it is.
_STATUS_OF_REASON: Final = {
    "empty": 400,
    "too_large": 413,
    "not_dicom": 415,
    "unsupported_syntax": 415,
}
_TITLES: Final = {
    "incomplete": (400, "the body was cut off"),
    "malformed_multipart": (400, "the multipart body cannot be parsed"),
    "malformed_gzip": (400, "the body is not one whole member of gzip"),
    "invalid_parameter": (400, "a query parameter has a value that it cannot have"),
    "unauthorized": (401, "the request needs a token: Authorization: Bearer TOKEN"),
    "no_archive": (404, "this endpoint has no archive for results: set results=URL"),
    "not_found": (404, "no such path"),
    "unknown_model": (404, "there is no model of this name and version"),
    "method_not_allowed": (405, "this path has other methods"),
    "not_acceptable": (406, "the answer has no such form"),
    "slow_body": (408, "the body came too slowly"),
    "too_many_parts": (413, "the multipart body holds too many images"),
    "url_too_long": (414, "the path and query are too long"),
    "unsupported_media_type": (415, "the content type is not DICOM"),
    "several_exams": (422, "the images are of several studies; a report is of one"),
    "headers_too_large": (431, "there are too many headers, or they are too long"),
    "internal": (500, "the endpoint failed"),
    "busy": (503, "every place for an image is taken"),
    "unavailable": (503, "no replica can answer now"),
    "archive": (503, "the archive for results did not take the report"),
    "deadline": (504, "no answer within the time limit"),
    **{code: (_STATUS_OF_REASON.get(code, 422), title) for code, title in REJECT_REASONS.items()},
}
_HEADERS: Final = {503: {"Retry-After": "1"}, 401: {"WWW-Authenticate": "Bearer"}}
Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]


class ProblemBody(BaseModel, use_attribute_docstrings=True):
    """The body of every error."""

    type: str
    """URN of the code."""
    title: str
    """The code in words."""
    status: int
    """HTTP status."""
    code: str
    """Stable name of the error; for a refused image the reason that ingest would note."""
    detail: str
    """What was found, without any value from the image's header."""


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An error that the client is told about.

    Args:
        code: A key of the titles; decides status and title.
        detail: What was found, without patient data.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        self.status, self.title = _TITLES[code]
        self.code, self.detail = code, detail
        super().__init__(code)

    def response(self) -> JSONResponse:
        """The HTTP answer."""
        body = ProblemBody(
            type=f"urn:mgray:problem:{self.code}",
            title=self.title,
            status=self.status,
            code=self.code,
            detail=self.detail or self.title,
        )
        return JSONResponse(
            body.model_dump(),
            self.status,
            _HEADERS.get(self.status),
            media_type="application/problem+json",
        )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error answers for OpenAPI, with their codes."""
    schema = {"application/problem+json": {"schema": ProblemBody.model_json_schema()}}
    return {
        status: {
            "description": ", ".join(sorted(c for c, (s, _) in _TITLES.items() if s == status)),
            "content": schema,
        }
        for status in statuses
    }


def handlers() -> dict[int | type[Exception], Handler]:
    """Exception handlers for the application."""
    return {
        Problem: _problem,
        HTTPException: _http_exception,
        RequestValidationError: _invalid_parameter,
        ClientDisconnect: _disconnect,
        Exception: _failure,
    }


async def _problem(request: Request, error: Problem) -> Response:
    return error.response()


async def _http_exception(request: Request, error: HTTPException) -> Response:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "internal")
    return Problem(code).response()


async def _invalid_parameter(request: Request, error: RequestValidationError) -> Response:
    names = {str(fault["loc"][-1]) for fault in error.errors() if fault["loc"][0] == "query"}
    return Problem("invalid_parameter", f"of {', '.join(sorted(names))}").response()


async def _disconnect(request: Request, error: ClientDisconnect) -> Response:
    return Problem("incomplete").response()


async def _failure(request: Request, error: Exception) -> Response:
    return Problem("internal").response()
