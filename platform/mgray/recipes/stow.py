"""STOW-RS: DICOM objects into an archive.

References:
    PS3.18 10.5 (store transaction), 8.6.1.2 (multipart/related).
"""

import os
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

import httpx

from mgray.errors import MgrayError

AUTHORIZATION: Final = "MGRAY_RESULTS_AUTHORIZATION"
"""Holds the value of the header, e.g. ``Basic dXNlcjpwYXNz``."""
TIMEOUT_S: Final = 30.0


class NotStoredError(MgrayError):
    """The archive did not take an object, or did not answer."""


def related(objects: Sequence[bytes]) -> tuple[str, bytes]:
    """Make the content type and the body that hold these objects."""
    boundary = uuid4().hex
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + one + b"\r\n" for one in objects) + f"--{boundary}--\r\n".encode()
    return f'multipart/related; type="application/dicom"; boundary={boundary}', body


def archive_settings(root: str) -> dict[str, Any]:
    """Settings of an httpx client for an archive whose DICOMweb services begin at ``root``."""
    told = os.environ.get(AUTHORIZATION, "").strip()
    return {
        "base_url": root,
        "headers": {"Accept": "application/dicom+json"} | ({"Authorization": told} if told else {}),
        "timeout": TIMEOUT_S,
    }


def store(archive: httpx.Client, objects: Sequence[bytes]) -> None:
    """Store objects.

    Raises:
        NotStoredError: It did not take all of them; names the status alone.
    """
    kind, body = related(objects)
    try:
        reply = archive.post("studies", content=body, headers={"Content-Type": kind})
    except httpx.TransportError as error:
        raise NotStoredError(f"the archive does not answer: {type(error).__name__}") from None
    check_stored(reply)


async def store_async(archive: httpx.AsyncClient, objects: Sequence[bytes]) -> None:
    """As ``store``."""
    kind, body = related(objects)
    try:
        reply = await archive.post("studies", content=body, headers={"Content-Type": kind})
    except httpx.TransportError as error:
        raise NotStoredError(f"the archive does not answer: {type(error).__name__}") from None
    check_stored(reply)


def check_stored(reply: httpx.Response) -> None:
    """Accept 200 alone: 202 means that something was refused.

    Raises:
        NotStoredError: Any other status.
    """
    if reply.status_code != httpx.codes.OK:
        raise NotStoredError(f"the archive refused a result: status {reply.status_code}")
