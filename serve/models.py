"""Which model answers a request: by name and version, else the current version of the default."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pydantic import BaseModel

from mgray.errors import ConfigError, MgrayError
from mgray.models.shelf import Shelf
from serve.problems import Problem

log = logging.getLogger("ray.serve")
LOOK_EVERY_S: Final = 1.0
T = TypeVar("T")


class ModelListing(BaseModel, use_attribute_docstrings=True):
    """One model of ``GET /v1/models``."""

    name: str
    """As in ``?model=``."""
    versions: list[str]
    """As in ``?version=``."""
    current: str | None
    """The version that answers unless another is asked for."""


class Models:
    """The models that are there; looked up at most once a second.

    Args:
        shelf: Where they are.
        default: Name of the model that answers unless another is asked for.
        clock: Seconds.
    """

    def __init__(
        self, shelf: Shelf, default: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.shelf, self.default, self._clock = shelf, default, clock
        self._good: dict[str, str] = {}
        self._found, self._looked = listing(shelf), clock()

    def choose(self, name: str | None, version: str | None) -> str:
        """Name the model for a request: ``NAME/VERSION``.

        Raises:
            Problem: 404, no such name or version.
        """
        wanted = name or self.default
        for one in self.list():
            chosen = version or one.current
            if one.name == wanted and chosen in one.versions:
                return f"{one.name}/{chosen}"
        raise Problem("unknown_model")

    def list(self) -> list[ModelListing]:
        """All models."""
        if self._clock() - self._looked >= LOOK_EVERY_S:
            try:
                self._found = listing(self.shelf)
            except OSError:
                log.warning("the models cannot be listed: those known a second ago are served")
            self._looked = self._clock()
        return self._found

    async def ask(
        self, name: str | None, version: str | None, call: Callable[[str], Awaitable[T]]
    ) -> tuple[str, T]:
        """Ask the model for a request; if it cannot be loaded, the one that answered before it.

        Returns:
            The model that answered, and its answer.

        Raises:
            Problem: 404, no such name or version; 503, neither can be loaded.
        """
        model = self.choose(name, version)
        try:
            return model, await call(model)
        except MgrayError:
            model = self.fallback(model, version)
        try:
            return model, await call(model)
        except MgrayError:
            log.error("model %s cannot be loaded either", model)
            raise Problem("unavailable") from None

    def answered(self, model: str, version: str | None) -> None:
        """Note that a model answered, if as the current version, not as one asked for."""
        if version is None:
            self._good[model.partition("/")[0]] = model

    def fallback(self, model: str, version: str | None) -> str:
        """Name the current version that answered last, when today's cannot be loaded.

        Raises:
            Problem: 503, none did, or this very version was asked for.
        """
        good = self._good.get(model.partition("/")[0], model)
        if version is not None or good == model:
            raise Problem("unavailable")
        log.error("model %s cannot be loaded: %s answers in its place", model, good)
        return good


def listing(shelf: Shelf) -> list[ModelListing]:
    """List a shelf."""
    return [
        ModelListing(name=name, versions=versions, current=_current(shelf, name))
        for name, versions in shelf.versions().items()
    ]


def default_name(shelf: Shelf, wanted: str | None) -> str:
    """Name of the model that answers by default: the one asked for, or the only one.

    Raises:
        ConfigError: There is none of that name, or there are several and none was asked for.
        NotFoundError: Nothing on the shelf.
    """
    names = list(shelf.versions())
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise ConfigError(
            f"default_model={wanted}: expected one of {', '.join(names) or 'none'} "
            f"in {str(shelf.root)!r}"
        )
    return wanted


def _current(shelf: Shelf, name: str) -> str | None:
    try:
        return shelf.current(name)
    except MgrayError:
        return None
