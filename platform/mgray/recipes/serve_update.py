"""Let another version of a model answer: added, smoke-tested, asked through the endpoint, chosen.

Every step can refuse it, and until the last one nobody is answered by it. The last one is a rename.
"""

import logging
import shutil
import time
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
from pydantic import BeforeValidator

from mgray.config import Config
from mgray.errors import DataError, MgrayError
from mgray.recipes.address import Address
from mgray.recipes.serve_check import DICOM, compare_answer, required_token

log = logging.getLogger(__name__)
SEEN_WITHIN_S: Final = 20.0
"""The endpoint looks at the models every second, and loads one when it is first asked for."""


def _named(value: Any) -> Any:
    """Take ``version=2`` as a name; ``version=1.10`` would have become 1.1."""
    if isinstance(value, float):
        raise ValueError("expected a name: put a letter before the number, e.g. v1.10")
    return str(value) if type(value) is int else value


Name = Annotated[str, BeforeValidator(_named)]


class ServeUpdateConfig(Config):
    """Which version is to answer, and where."""

    models: Path
    """Folder NAME/VERSION of all models, as the endpoint's ``model``."""
    name: Name
    """Of the model."""
    version: Name
    """Of the model; one that is there already, or a new one with source=."""
    source: Path | None = None
    """Model folder to add as this version."""
    url: Address | None = None
    """Address of the endpoint, which then answers the reference image before the change."""
    token_file: Path | None = None
    """Its first line is the token; else MGRAY_TOKEN_FILE or MGRAY_TOKEN tells it."""


def run_serve_update(config: ServeUpdateConfig) -> None:
    """Add, test and choose; what fails is taken away again, and the old version stays.

    Raises:
        MgrayError: The version was refused.
    """
    from mgray.models.shelf import Shelf

    logging.getLogger("httpx").setLevel(logging.WARNING)
    shelf = Shelf(config.models)
    added = shelf.add(config.name, config.version, config.source) if config.source else None
    try:
        _test(shelf.find(config.name, config.version), config)
    except BaseException:  # Ctrl-C too: a version that nobody tested must not stay
        if added is not None:
            shutil.rmtree(added)
        raise
    shelf.choose(config.name, config.version)
    log.info("%s answers with version %s", config.name, config.version)


def _test(folder: Path, config: ServeUpdateConfig) -> None:
    from mgray.inference.predictor import Predictor
    from mgray.inference.smoke import smoke_test

    boxes = smoke_test(Predictor.load(folder))
    log.info("the model answers the reference image with %d boxes", len(boxes))
    if config.url is not None:
        same = compare_answer(_ask(config.url, config), folder)
        log.info("the endpoint gives the same answer %s", same)


def _ask(url: str, config: ServeUpdateConfig) -> dict[str, Any]:
    """Ask until the endpoint knows the version; that also loads it before anybody needs it."""
    from mgray.inference.smoke import reference_image

    asked = {"model": config.name, "version": config.version}
    head, body = required_token(config.token_file) | DICOM, reference_image()
    end = time.monotonic() + SEEN_WITHIN_S
    while True:
        try:
            reply = httpx.post(
                f"{url}/v1/detect", content=body, params=asked, headers=head, timeout=120
            )
        except httpx.HTTPError as error:
            raise MgrayError(f"the endpoint at {url} does not answer: {error}") from None
        if reply.status_code == httpx.codes.OK:
            answer: dict[str, Any] = reply.json()
            return answer
        if reply.status_code not in (404, 503) or time.monotonic() > end:
            raise DataError(f"the endpoint answers the reference image with {reply.status_code}")
        time.sleep(0.5)
