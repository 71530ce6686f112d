"""A request's body, bounded while it streams in, down to the bytes of one DICOM file."""

from email.message import Message
from typing import Final

from fastapi import Request

from serve.problems import Problem

MEDIA_TYPES: Final = ("application/dicom", "application/octet-stream")
MULTIPART: Final = ("multipart/form-data", "multipart/related")


async def read_image(request: Request, max_bytes: int) -> bytes:
    """Read one DICOM file: the body itself, or the only part of a multipart body.

    Args:
        request: Not read yet.
        max_bytes: Of the body; reading stops there, whatever the length header says.

    Raises:
        Problem: 400 (empty, malformed), 413 (too large), 415 (another content type).
    """
    media = Message()
    media["content-type"] = request.headers.get("content-type", "none/none")
    kind = media.get_content_type()
    if kind not in MEDIA_TYPES + MULTIPART:
        raise Problem("unsupported_media_type", f"expected one of {', '.join(MEDIA_TYPES)}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem("unsupported_media_type", "send the body without a content encoding")
    body = await _read(request, max_bytes)
    if kind in MULTIPART:
        body = only_part(body, str(media.get_param("boundary", "")))
    if not body:
        raise Problem("empty")
    return body


def only_part(body: bytes, boundary: str) -> bytes:
    """Take the content of a multipart body with one part.

    Raises:
        Problem: 400: no boundary, no closing boundary, no part headers, or several parts.

    References:
        RFC 2046 §5.1.1.
    """
    if not boundary.isascii() or not 1 <= len(boundary) <= 70:
        raise Problem("malformed_multipart", "the boundary parameter is missing or too long")
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if not parts or not parts[-1].startswith(b"--"):
        raise Problem("malformed_multipart", "the closing boundary is missing")
    if len(parts) != 2:
        raise Problem("several_parts", f"{len(parts) - 1} parts, expected 1")
    _, blank, content = parts[0].partition(b"\r\n\r\n")
    if not blank:
        raise Problem("malformed_multipart", "the part has no end of headers")
    return content


async def _read(request: Request, max_bytes: int) -> bytes:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > max_bytes:
        raise Problem("too_large", f"the body may hold {max_bytes} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Problem("too_large", f"the body may hold {max_bytes} bytes")
    return bytes(body)
