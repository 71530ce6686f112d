"""The frozen config base and its one notation: ``replace(config, {"a.b": value})``.

A recipe is a function that returns one full config; a variant is ``replace(base(), {...})``. The
same dotted keys are used on the command line (``optimizer.learning_rate=3e-4``), by a sweep and in
tests.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic.fields import FieldInfo

from mgray.errors import ConfigError, NotFoundError
from mgray.files import write_text

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of every config: frozen, no unknown keys, finite, a description under each field."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _number_may_name_a_path(cls, value: Any, info: Any) -> Any:
        """Take ``out=20240101`` as a name: the notation reads it as a whole number."""
        kind = cls.model_fields[info.field_name or ""].annotation
        named = Path in (kind, *get_args(kind)) and type(value) is int
        return str(value) if named else value


def replace(config: C, changes: Mapping[str, Any]) -> C:
    """Return a copy with dotted keys changed, validated again.

    Args:
        config: Any config; left unchanged.
        changes: Dotted key to new value, e.g. ``{"optimizer.learning_rate": 3e-4}``.

    Raises:
        ConfigError: An unknown key (names the nearest one) or a value the field refuses.
    """
    data = config.model_dump()
    for key, value in changes.items():
        _set(data, key.split("."), value, key)
    return build(type(config), data)


def build(cls: type[C], data: Mapping[str, Any]) -> C:
    """Validate plain data into a config; the first fault becomes one line.

    Raises:
        ConfigError: An unknown or missing key, or a value the field refuses.
    """
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        faults = error.errors()  # a misspelt key is also a missing one: name the misspelt
        first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            description = cls.model_fields[key].description if key in cls.model_fields else None
            hint = f" ({description})" if description else ""
            raise ConfigError(f"{key} is missing{hint}: give {key}=VALUE") from None
        if first["type"] == "extra_forbidden":
            raise ConfigError(_unknown(key, leaf_keys(cls))) from None
        raise ConfigError(_refusal(key, first["type"], first["msg"], first.get("input"))) from None


def complete(
    cls: type[BaseModel], data: Mapping[str, Any], own: BaseModel | None = None
) -> dict[str, Any]:
    """Give parts of a config that are told in part the rest of the field's own default.

    A field may hold another default than its class does: ``hit: HitConfig = HitConfig(...)``.

    Args:
        cls: The config's class.
        data: Nested keys that are told.
        own: Default of the field that holds this config, if there is one.
    """
    whole = {**(own.model_dump() if own else {}), **data}
    for name, field in cls.model_fields.items():
        default = default_of(field, name, own)
        if isinstance(default, BaseModel) and isinstance(data.get(name), Mapping):
            whole[name] = complete(type(default), data[name], default)
    return whole


def default_of(field: FieldInfo, name: str, own: BaseModel | None) -> Any:
    """Tell the default of a config's field, within another's default if there is one."""
    return getattr(own, name) if own is not None else field.get_default()


def _refusal(key: str, kind: str, said: str, value: Any) -> str:
    said = said.removeprefix("Value error, ")
    if kind == "path_type":
        said = "expected a path: put ./ before a name"
    if isinstance(value, Mapping):  # a rule over several keys names those that matter
        return f"{key}: {said}" if key else said
    return f"{key}={value!r}: {said}"


def parse_overrides(words: Iterable[str]) -> dict[str, Any]:
    """Read ``key=value`` words; ``true``, ``3e-4`` and ``[1, 2]`` mean what they say.

    Values are YAML 1.2 scalars, quoted text or ``[...]`` and ``{...}``; anything else is text as it
    stands, so that ``no``, ``2024-01-01`` and ``a: b`` may be names.

    Raises:
        ConfigError: A word without ``=``.
    """
    changes: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ConfigError(f"{word!r} is not key=value: write for example seed=1")
        changes[key] = _scalar(text)
    return changes


def nest(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested dicts.

    Raises:
        ConfigError: A key is given both as a whole and in part.
    """
    data: dict[str, Any] = {}
    for key, value in changes.items():
        *parents, leaf = key.split(".")
        room = data
        for name in parents:
            room = room.setdefault(name, {})
            if not isinstance(room, dict):
                raise ConfigError(f"{key} is a part of a key that is also given: give one of both")
        if leaf in room:
            raise ConfigError(f"{key} is given, and a part of it too: give one of both")
        room[leaf] = value
    return data


def leaf_keys(cls: type[BaseModel], prefix: str = "") -> list[str]:
    """List every dotted key of a config class."""
    keys: list[str] = []
    for name, field in cls.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += leaf_keys(kind, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def fingerprint(config: BaseModel) -> str:
    """Twelve hex digits that name a config's content; equal configs have equal fingerprints."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def save_yaml(config: BaseModel, path: Path) -> None:
    """Write the resolved config whole; ``load_yaml`` reads it back to an equal one."""
    write_text(path, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


def load_yaml(cls: type[C], path: Path) -> C:
    """Read a config saved by ``save_yaml``.

    Raises:
        NotFoundError: No such file.
        ConfigError: Not YAML, or not this config.
    """
    if not path.is_file():
        raise NotFoundError(f"no config file {str(path)!r}: give a recipe's name or a saved YAML")
    try:
        data = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"{str(path)!r} is not YAML") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{str(path)!r} holds no keys: expected a saved config")
    return build(cls, data)


class _Core(yaml.SafeLoader):
    """YAML 1.2's core scalars: to 1.1, which PyYAML reads, ``no`` is false and 3e-4 is text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as PyYAML declares it


for _tag, _pattern, _first in (
    ("null", r"null|Null|NULL|~", "nN~"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"0|-?[1-9][0-9]*", "-0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Core.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), list(_first)
    )


def _scalar(text: str) -> Any:
    try:
        if text.startswith(("[", "{", "'", '"')):
            return yaml.load(text, _Core)
        loader = _Core("")
        tag = loader.resolve(  # type: ignore[no-untyped-call]  # PyYAML's stubs have no types here
            yaml.ScalarNode, text, (True, False)
        )
        return loader.construct_object(yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def _set(data: dict[str, Any], path: list[str], value: Any, key: str) -> None:
    room: Any = data
    for name in path[:-1]:
        room = room.get(name) if isinstance(room, dict) else None
    if not isinstance(room, dict) or path[-1] not in room:
        raise ConfigError(_unknown(key, _dotted(data)))
    room[path[-1]] = value


def _dotted(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, value in data.items():
        keys.append(prefix + name)
        if isinstance(value, dict):
            keys += _dotted(value, f"{prefix}{name}.")
    return keys


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    tail = f": did you mean {near[0]!r}?" if near else ""
    return f"unknown key {key!r}{tail}"
