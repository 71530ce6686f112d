"""A request's body, bounded while it streams in and inflates, down to the bytes of each image."""

import zlib
from email.message import Message
from typing import Final

from fastapi import Request

from serve.problems import Problem

MEDIA_TYPES: Final = ("application/dicom", "application/octet-stream")
MULTIPART: Final = ("multipart/form-data", "multipart/related")
ENCODINGS: Final = ("identity", "gzip")
LONGEST_BOUNDARY: Final = 200
"""Characters; RFC 2046 has 70, Orthanc's have 73."""
GZIP: Final = 16 + zlib.MAX_WBITS


async def read_images(request: Request, max_bytes: int, max_images: int) -> list[bytes]:
    """Read DICOM files: the body itself, or the parts of a multipart body.

    Args:
        request: Not read yet.
        max_bytes: Of the body, also once inflated; reading stops there, whatever a header says.
        max_images: Of a multipart body.

    Raises:
        Problem: 400 (empty, malformed), 413 (too large, too many), 415 (another content type).
    """
    media = Message()
    media["content-type"] = request.headers.get("content-type", "none/none")
    kind = media.get_content_type()
    if kind not in MEDIA_TYPES + MULTIPART:
        raise Problem("unsupported_media_type", f"expected one of {', '.join(MEDIA_TYPES)}")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ENCODINGS:
        raise Problem("unsupported_media_type", f"expected one of {', '.join(ENCODINGS)}")
    body = await _read(request, _Inflated(max_bytes) if encoding == "gzip" else _Plain(max_bytes))
    images = [body]
    if kind in MULTIPART:
        images = split_parts(body, _boundary(media), max_images)
    if not all(images):
        raise Problem("empty")
    return images


def _boundary(media: Message) -> str:
    try:
        return str(media.get_param("boundary", ""))
    except (TypeError, ValueError):  # parts of RFC 2231 that cannot be put in order
        raise Problem("malformed_multipart", "the boundary parameter cannot be read") from None


def split_parts(body: bytes, boundary: str, most: int) -> list[bytes]:
    """Take the contents of a multipart body.

    Raises:
        Problem: 400: no boundary, no closing boundary, no part, or no part headers; 413: too many.

    References:
        RFC 2046 §5.1.1.
    """
    if not boundary.isascii() or not 1 <= len(boundary) <= LONGEST_BOUNDARY:
        raise Problem("malformed_multipart", "the boundary parameter is missing or too long")
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), most + 2)
    if len(parts) > most + 1:
        raise Problem("too_many_parts", f"a request may hold {most} images")
    if not parts or not parts[-1].startswith(b"--"):
        raise Problem("malformed_multipart", "the closing boundary is missing")
    if len(parts) == 1:
        raise Problem("malformed_multipart", "there is no part")
    return [_content(part) for part in parts[:-1]]


def _content(part: bytes) -> bytes:
    _, blank, content = part.partition(b"\r\n\r\n")
    if not blank:
        raise Problem("malformed_multipart", "a part has no end of headers")
    return content


class _Plain:
    """A body as it comes, up to a limit."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.chunks, self.size = max_bytes, list[bytes](), 0

    def add(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.size += len(chunk)
        if self.size > self.max_bytes:
            raise Problem("too_large", f"the body may hold {self.max_bytes} bytes")

    def end(self) -> bytes:
        return b"".join(self.chunks)  # one that came in one piece is not copied


class _Inflated(_Plain):
    """A body of gzip, RFC 1952, one member; never inflated beyond the limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self.stream = zlib.decompressobj(GZIP)

    def add(self, chunk: bytes) -> None:
        try:
            super().add(self.stream.decompress(chunk, self.max_bytes - self.size + 1))
        except zlib.error:
            raise Problem("malformed_gzip") from None
        if self.stream.unused_data:
            raise Problem("malformed_gzip", "there is more after the end")

    def end(self) -> bytes:
        if not self.stream.eof:
            raise Problem("malformed_gzip", "the end is missing")
        return super().end()


async def _read(request: Request, sink: _Plain) -> bytes:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length.lstrip("0")[:20] or "0") > sink.max_bytes:
        raise Problem("too_large", f"the body may hold {sink.max_bytes} bytes")
    async for chunk in request.stream():
        if chunk:
            sink.add(chunk)
    return sink.end()
