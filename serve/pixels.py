"""``POST /v1/pixels``: an image's grey levels for a screen, by the same door as detection."""

import gzip
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from mgray.dicom.child import DecodeChild
from mgray.dicom.preview import preview, to_pgm
from mgray.errors import Rejected
from serve.answers import Refusal
from serve.calls import called_off
from serve.counts import count_refusal
from serve.problems import Problem, responses
from serve.replica import Replica, wait_for

MEDIA_TYPE: Final = "image/x-portable-graymap"
SCREEN, LARGEST = 2048, 8192
FASTEST: Final = 1
"""Compression level: background packs well at any."""

router = APIRouter()


@router.post(
    "/v1/pixels", response_class=Response, responses=responses(400, 413, 415, 422, 503, 504)
)
async def pixels(
    request: Request, here: Replica, side: Annotated[int, Query(ge=256, le=LARGEST)] = SCREEN
) -> Response:
    """Give an image's grey levels as a 16-bit PGM, at the largest power of two that ``side`` holds.

    They are those before the window. The comment is JSON: ``affine`` (2 x 3) maps half-open pixel
    coordinates of the map to the DICOM's own, ``value`` (slope, intercept) its grey levels to the
    header's units, and ``curve``, at equal steps over the grey levels from ``span``'s first to its
    second, is what the header wants to be shown. Where ``padded``, grey level 0 is padding: black
    whatever the curve.
    """
    (body,) = await here.read(request, 1)
    with here.places.hold(1):
        reply = here.decoder.pixels.remote(body, side)
        with called_off(reply):
            packed = await wait_for(here, reply)
    if isinstance(packed, Refusal):
        count_refusal(packed.reason)
        raise Problem(packed.reason, packed.detail)
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(packed), headers=headers, media_type=MEDIA_TYPE)
    return Response(packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=MEDIA_TYPE)


def packed_pixels(child: DecodeChild, body: bytes, side: int) -> bytes | Refusal:
    """Decode one file to a gzipped grey map; runs in the decoder.

    Args:
        child: The isolated process that reads the file.
        body: One DICOM file.
        side: Longest side, pixels.
    """
    try:
        columns = child.read(body).columns
    except Rejected as refused:
        return Refusal(refused.reason, refused.detail)
    return gzip.compress(to_pgm(*preview(columns, side)), FASTEST, mtime=0)
