"""The endpoint: ``serve run serve.app:build model=runs/NAME/models/fused``.

Listens on loopback unless told otherwise, and answers whoever has the token, see ``serve.gate``.
"""

from pathlib import Path
from typing import Any

import click
from ray import serve

from mgray.config import build as build_config
from mgray.dicom.limits import Limits
from mgray.errors import ConfigError, MgrayError, NotFoundError
from mgray.models.shelf import Shelf
from serve.args import Args
from serve.endpoint import ENDPOINT
from serve.gate import check_environment
from serve.models import default_name


def build(args: dict[str, Any]) -> serve.Application:
    """Assemble the application; nothing is loaded before Ray starts the replicas.

    Args:
        args: The fields of ``Args``, as text or typed.

    Raises:
        NotFoundError: No such model folder, or no weights in it.
        ConfigError: A key or value that ``Args`` refuses, a model that needs two images, or no
            token.
        ClickException: Any of these, in one line, on the command line of ``serve run``.
    """
    try:
        check_environment()
        return _assemble(build_config(Args, args))
    except MgrayError as error:
        if click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(str(error)) from None


def _assemble(args: Args) -> serve.Application:
    from serve.decoder import DECODER
    from serve.detector import DETECTOR

    shelf, limits = _open_shelf(args), Limits(max_file_bytes=args.max_body_bytes)
    warm = default_name(shelf, args.default_model)
    settings = {
        "max_batch_size": args.max_batch_size,
        "batch_wait_timeout_s": args.batch_wait_timeout_s,
        "warm": warm,
    }
    return ENDPOINT.bind(
        DECODER.bind(shelf, warm, limits),
        DETECTOR.options(user_config=settings).bind(shelf, args.device, args.batch_size),
        shelf,
        args,
    )


def _open_shelf(args: Args) -> Shelf:
    """Look at every model that can be asked for."""
    from mgray.models.folder import read_meta

    path = Path(args.model)
    if not path.is_dir():
        raise NotFoundError(f"no model folder {args.model!r}: train a model or give its folder")
    shelf = Shelf(path)
    if not shelf.versions():
        read_meta(path)  # says what is missing
    for name, versions in shelf.versions().items():
        for version in versions:
            inputs = read_meta(shelf.find(name, version)).inputs
            if len(inputs) != 1:
                raise ConfigError(
                    f"model={args.model} takes {' and '.join(inputs)}: serve fused or sm"
                )
    return shelf
