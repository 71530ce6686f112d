"""Several models by name and version, in one folder.

::

    MODELS/NAME/VERSION/   model folders
    MODELS/NAME/current    the version that answers unless another is asked for, as text
    MODELS/NAME/.VERSION.used   an empty file: the version is or was there

A single model folder is a shelf too: its one model bears the folder's name, its one version is
``0``. Names of a request are looked up among those that are there; none becomes a path.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Final

from mgray.errors import ConfigError, NotFoundError

CONFIG: Final = "config.json"  # every model folder has one
CURRENT: Final = "current"
ONLY: Final = "0"
NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Shelf:
    """The models of a folder; read again at each call, as another process may add one.

    Args:
        root: A folder of several models, or a model folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.is_single = (self.root / CONFIG).is_file()

    def versions(self) -> dict[str, list[str]]:
        """Names, each with its versions, sorted."""
        if self.is_single:
            return {self.root.name: [ONLY]}
        found = {
            folder.name: sorted(
                one.parent.name
                for one in folder.glob(f"*/{CONFIG}")
                if re.fullmatch(NAME, one.parent.name)  # not one that is still being copied
            )
            for folder in sorted(self.root.iterdir())
            if folder.is_dir() and re.fullmatch(NAME, folder.name)
        }
        return {name: versions for name, versions in found.items() if versions}

    def current(self, name: str) -> str:
        """Version of a model that answers unless another is asked for.

        Raises:
            NotFoundError: None was chosen.
        """
        if self.is_single:
            return ONLY
        try:
            return (self.root / name / CURRENT).read_text().strip()
        except OSError:
            raise NotFoundError(
                f"model {name!r} has no current version: choose one with jobs.serve_update"
            ) from None

    def find(self, name: str, version: str | None = None) -> Path:
        """Folder of a model.

        Raises:
            NotFoundError: No such name or version, or no current one.
        """
        known = self.versions().get(name, [])
        wanted = version if version is not None or not known else self.current(name)
        if wanted not in known:
            raise NotFoundError(f"no model {name!r} with version {wanted!r} in {str(self.root)!r}")
        return self.root if self.is_single else self.root / name / wanted

    def add(self, name: str, version: str, source: Path) -> Path:
        """Copy a model folder onto the shelf; it answers nobody before it is chosen.

        Raises:
            ConfigError: A name that is none, a version that is or was there, as replicas remember
                it, or a shelf of one model.
            NotFoundError: No model folder.
            DataError: A file that is damaged or was changed.
        """
        from mgray.models.folder import verify_model  # heavy, and not needed to choose

        if self.is_single:
            raise ConfigError(f"{str(self.root)!r} is one model: give a folder of several")
        for word in (name, version):
            if not re.fullmatch(NAME, word) or word == CURRENT:
                raise ConfigError(f"{word!r} is no name: expected letters, digits, '.', '_' or '-'")
        verify_model(source)
        target = self.root / name / version
        if target.exists():
            raise ConfigError(f"{name} has a version {version} already: give a new one")
        used = target.with_name(f".{version}.used")
        if used.exists():
            raise ConfigError(f"version {version} of {name} was refused before: give a new number")
        partial = target.with_name(f".{version}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        used.touch()
        partial.rename(target)
        return target

    def choose(self, name: str, version: str) -> None:
        """Let a version answer from now on, by one rename.

        Raises:
            NotFoundError: No such model.
        """
        self.find(name, version)
        fresh = self.root / name / f".{CURRENT}.{os.getpid()}"
        fresh.write_text(f"{version}\n")
        fresh.replace(self.root / name / CURRENT)
