"""The model folder: weights, config, card and checksums; what training hands to serving.

::

    model.safetensors   the state dict
    config.json         format version and ``ModelMeta``
    README.md           model card with a Hugging Face header
    SHA256SUMS          of the three, checked on every load
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from mgray.config import build
from mgray.errors import ConfigError, DataError, MgrayError, NotFoundError, SchemaError
from mgray.licence import UNKNOWN, check_sharing
from mgray.models.card import model_card
from mgray.models.meta import ModelMeta

FORMAT_VERSION: Final = "1"
PUBLIC: Final = ("none", "imagenet", "coco")
"""Weights to start from that have seen no mammogram."""
WEIGHTS, CONFIG, CARD, SUMS = "model.safetensors", "config.json", "README.md", "SHA256SUMS"


def write_folder(folder: Path, meta: ModelMeta, write_weights: Callable[[Path], None]) -> None:
    """Write a model folder; one that is there already is replaced once the new one is complete.

    Args:
        folder: The model folder.
        meta: What it says about itself.
        write_weights: Writes the file that it is given.
    """
    partial = _begin(folder)
    write_weights(partial / WEIGHTS)
    _write_texts(partial, meta)
    _publish(partial, folder)


def read_meta(folder: Path) -> ModelMeta:
    """Read what a model folder says about itself; its files need only be there.

    Raises:
        NotFoundError: No such folder, or a file of it is missing.
        SchemaError: Another format version, or keys this version does not know.
        DataError: The config is damaged.
    """
    if not folder.is_dir():
        raise NotFoundError(f"no model folder {str(folder)!r}: train a model or give its folder")
    for name in (CONFIG, WEIGHTS, SUMS):
        if not (folder / name).is_file():
            raise NotFoundError(f"model folder {str(folder)!r} has no {name}: copy it again, whole")
    try:
        data = json.loads((folder / CONFIG).read_text())
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise DataError(f"{CONFIG} in {str(folder)!r} is damaged: copy the folder again")
    version = data.pop("format_version", "none")
    if version != FORMAT_VERSION:
        raise SchemaError(
            f"model folder {str(folder)!r} has format version {version}, expected "
            f"{FORMAT_VERSION}: export the model with this version of mgray"
        )
    try:
        return build(ModelMeta, data)
    except ConfigError as error:
        raise SchemaError(f"{CONFIG} in {str(folder)!r}: {error}") from None


def update_meta(folder: Path, meta: ModelMeta) -> None:
    """Replace what a model folder says about itself; its weights stay as they are.

    A reader finds the old folder or the new one, each whole; see ``_publish`` for an instant.
    """
    write_folder(folder, meta, lambda weights: _link(folder / WEIGHTS, weights))


def seen_licences(weights: str) -> tuple[str, ...]:
    """Tell the licences of the data that weights to start from have seen.

    Args:
        weights: As in ``DetectorConfig``; a checkpoint is asked for its model folder, and where it
            has none, nobody knows.
    """
    if weights in PUBLIC:
        return ()
    path, told = Path(weights), tuple[str, ...]()
    if path.name == WEIGHTS:
        with suppress(MgrayError):
            told = read_meta(path.parent).data_licences
    return told or (UNKNOWN,)


def export_model(folder: Path, out: Path, allow: Collection[str] = ()) -> None:
    """Copy a model folder to hand it on, unless a licence of its data forbids that.

    Args:
        folder: A model folder; checked byte by byte.
        out: New folder.
        allow: Licence tags whose owner gave permission.

    Raises:
        LicenceError: Names the licence and how to say that there is permission.
        ConfigError: ``out`` is there already.
        NotFoundError: No model folder.
        DataError: A file that is damaged or was changed.
    """
    meta = read_meta(folder)
    verify_model(folder)
    check_sharing(meta.data_licences, "models", allow)
    if out.exists():
        raise ConfigError(f"{str(out)!r} is there already: give a new folder")
    partial = _begin(out)
    for name in (WEIGHTS, CONFIG, CARD, SUMS):
        shutil.copy2(folder / name, partial / name)
    _publish(partial, out)


def model_sha256(folder: Path) -> str:
    """Hash the weights file: the identity of a model.

    Raises:
        NotFoundError: No weights.
    """
    if not (folder / WEIGHTS).is_file():
        raise NotFoundError(f"model folder {str(folder)!r} has no {WEIGHTS}: copy it again, whole")
    return _sha256(folder / WEIGHTS)


def _begin(folder: Path) -> Path:
    """Make an empty folder beside the one that will be replaced."""
    target = folder.resolve()
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def _publish(partial: Path, folder: Path) -> None:
    """Put a complete folder in the place of another, by two renames.

    For the instant between them there is none; the old one then lies beside it.
    """
    target = folder.resolve()
    old = target.with_name(f".{target.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    if target.is_dir():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _link(path: Path, copy: Path) -> None:
    try:
        copy.hardlink_to(path)
    except OSError:  # not every storage has links
        shutil.copy2(path, copy)


def _write_texts(folder: Path, meta: ModelMeta) -> None:
    data = {"format_version": FORMAT_VERSION, **meta.model_dump(mode="json")}
    (folder / CONFIG).write_text(json.dumps(data, indent=2) + "\n")
    (folder / CARD).write_text(model_card(meta, model_sha256(folder)))
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in (WEIGHTS, CONFIG, CARD)]
    (folder / SUMS).write_text("".join(lines))


def verify_model(folder: Path) -> None:
    """Check every byte of a model folder against its checksums.

    Raises:
        NotFoundError: No such folder, or a file of it is missing.
        DataError: A file that is damaged or was changed.
    """
    if not (folder / SUMS).is_file():
        raise NotFoundError(f"no model folder {str(folder)!r}: train a model or give its folder")
    lines = (folder / SUMS).read_text().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in (CONFIG, CARD, WEIGHTS):  # the large one last: an update may be under way
        if not (folder / name).is_file() or sums.get(name) != _sha256(folder / name):
            raise DataError(
                f"{name} in {str(folder)!r} does not match {SUMS}: it is damaged or was changed; "
                "copy the folder again"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
