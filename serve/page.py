"""The page at ``/``: static files held in memory, with headers that forbid everything else.

No script or style stands in the HTML, nothing comes from another host, and no file's name becomes
a path.
"""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response

from serve.problems import Problem

FOLDER: Final = Path(__file__).with_name("page")
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


def read_files(folder: Path = FOLDER) -> dict[str, bytes]:
    """Read the page's files, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


_FILES: Final = read_files()


@router.api_route("/", methods=["GET", "HEAD"])
async def page() -> Response:
    """The page."""
    return _answer("index.html")


@router.api_route("/page/{name}", methods=["GET", "HEAD"])
async def file(name: str) -> Response:
    """One of its files."""
    if name not in _FILES:
        raise Problem("not_found")
    return _answer(name)


def _answer(name: str) -> Response:
    return Response(_FILES[name], headers=HEADERS, media_type=MEDIA_TYPES[Path(name).suffix])
