"""What all entry points share: ``key=value`` words in, one clear line and an exit code out."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mgray.config import Config, build, complete, default_of, nest, parse_overrides
from mgray.errors import MgrayError

C = TypeVar("C", bound=Config)

EXIT_CODES = (
    "exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 too many files refused, "
    "130 interrupted, 143 terminated"
)
CONTINUE: Final = "run the same command again to continue"


def main(doc: str | None, config: type[C], run: Callable[[C], int | None], *names: str) -> None:
    """Parse ``sys.argv`` into ``config``, call ``run``, exit.

    Args:
        doc: The entry point's module docstring; it is the head of ``--help``.
        config: What the words fill.
        run: The work; its return value is the exit code (``None`` is 0).
        names: Fields that may be given as bare first words, in order.
    """
    guard(doc or "", lambda words: run(parse(config, words, names)), field_help(config))


def guard(doc: str, run: Callable[[list[str]], int | None], fields: str = "") -> None:
    """Run an entry point; every ``MgrayError`` becomes one line and an exit code."""
    words = sys.argv[1:]
    if "--help" in words or "-h" in words:
        sys.stdout.write(f"{doc.strip()}\n{fields}\n{EXIT_CODES}\n")
        sys.exit(0)
    logging.basicConfig(level=os.environ.get("MGRAY_LOG", "INFO"), format="%(message)s")
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, partial(_terminated, heard))
    try:
        sys.exit(run(words) or 0)
    except MgrayError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted: {CONTINUE}\n")
        sys.exit(130)
    except SystemExit:
        if heard:  # where Ray waits, it makes a SystemExit(1) of any
            sys.exit(128 + heard[0])
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(heard: list[int], number: int, frame: FrameType | None) -> None:
    """Leave by the way of Ctrl-C, so that what was started is stopped too."""
    heard.append(number)
    os.write(sys.stderr.fileno(), f"terminated: {CONTINUE}\n".encode())
    sys.exit(128 + number)


def parse(config: type[C], words: Sequence[str], names: Sequence[str] = ()) -> C:
    """Fill ``config`` from bare words (the fields ``names``, in order) and ``key=value`` words.

    A word such as ``--dry-run`` is ``dry_run=true`` where that is a key that is true or false.

    Raises:
        ConfigError: An unknown or missing key, or a value the field refuses.
    """
    words = [_switch(word, config) for word in words]
    bare = 0
    while bare < min(len(words), len(names)) and "=" not in words[bare]:
        bare += 1
    first = dict(zip(names, words[:bare], strict=False))
    return build(config, complete(config, nest({**first, **parse_overrides(words[bare:])})))


def _switch(word: str, config: type[BaseModel]) -> str:
    """Read ``--dry-run`` as ``dry_run=true``; any other word is itself."""
    name = word[2:].replace("-", "_")
    field = config.model_fields.get(name) if word.startswith("--") else None
    return f"{name}=true" if field is not None and field.annotation is bool else word


def field_help(config: type[BaseModel], prefix: str = "", own: BaseModel | None = None) -> str:
    """List every key with its default and description.

    Args:
        config: Whose keys.
        prefix: Of the keys, with its dot.
        own: Default of the field that holds this config, if it is not the config's own.
    """
    lines = []
    for name, field in config.model_fields.items():
        default = default_of(field, name, own)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            part = default if isinstance(default, BaseModel) else None
            lines.append(field_help(kind, f"{prefix}{name}.", part))
            continue
        shown = (
            "required" if default in (PydanticUndefined, None) and field.is_required() else default
        )
        lines.append(f"  {prefix}{name}={_plain(shown)}\n      {field.description or ''}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    """Write a value as it is typed in."""
    if isinstance(value, tuple):
        return f"[{','.join(map(_plain, value))}]"
    words = {"True": "true", "False": "false", "None": "null"}
    return words.get(str(value), str(value))
