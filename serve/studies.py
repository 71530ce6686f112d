"""``POST /studies``: STOW-RS, as far as an archive needs it that forwards a study and waits.

The images of the request are one exam. Its report is stored in the archive that ``results`` names,
and only then the sender is told that its images were taken; none of them is kept.

References:
    PS3.18 10.5 (store transaction).
"""

import time
from typing import Any, Final

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from mgray.recipes.stow import NotStoredError, archive_settings, store_async
from serve.filing import Wanted
from serve.problems import Problem, responses
from serve.replica import Replica

router = APIRouter()
_STATUSES: Final = (400, 404, 413, 415, 422, 503, 504)
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": 'The images of one exam, multipart/related; type="application/dicom" as '
        "PS3.18 has it; or one image as it is.",
        "content": {"application/dicom": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class DicomJson(JSONResponse):
    """The DICOM JSON model, PS3.18 F."""

    media_type = "application/dicom+json"


@router.post(
    "/studies", openapi_extra=_BODY, responses=responses(*_STATUSES), response_class=DicomJson
)
async def store_study(request: Request, here: Replica) -> DicomJson:
    """Detect on a study's images and store the report in the archive."""
    if here.args.results is None:
        raise Problem("no_archive")
    started = time.perf_counter()
    bodies = await here.read(request, here.args.max_images)
    _, written = await here.answer(bodies, "sr", Wanted(), started)
    try:
        async with httpx.AsyncClient(**archive_settings(here.args.results)) as archive:
            await store_async(archive, written.objects)
    except NotStoredError:
        raise Problem("archive") from None
    return DicomJson(receipt(written.sources))


def receipt(sources: list[tuple[str, str]]) -> dict[str, Any]:
    """The answer to a store transaction, in the DICOM JSON model.

    Args:
        sources: SOP Class and Instance UID of each image.

    References:
        PS3.18 I.2 (store instances response module).
    """
    items = [
        {
            "00081150": {"vr": "UI", "Value": [sop_class]},
            "00081155": {"vr": "UI", "Value": [sop_instance]},
        }
        for sop_class, sop_instance in sources
    ]
    return {"00081199": {"vr": "SQ", "Value": items}}
