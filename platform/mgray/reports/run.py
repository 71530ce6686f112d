"""What a run folder says about itself, with paths left out: a report holds none."""

import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

FOLDERS: Final = ("run", "data", "out", "served")
PACKAGES: Final = ("mgray", "matplotlib", "numpy", "pyarrow", "scipy")


def run_facts(run: Path) -> dict[str, Any]:
    """The training run's record and resolved config; empty parts where a file is missing."""
    record, config = run / "run.json", run / "config.resolved.yaml"
    return {
        "record": without_paths(json.loads(record.read_text())) if record.is_file() else {},
        "config": settings(yaml.safe_load(config.read_text())) if config.is_file() else {},
    }


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without the folders it reads and writes."""
    kept = {key: value for key, value in config.items() if key not in FOLDERS}
    return dict(without_paths(kept))


def versions() -> dict[str, str]:
    """Of what made the report."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def without_paths(value: Any) -> Any:
    """Drop every text that looks like a path, at any depth."""
    if isinstance(value, Mapping):
        return {k: without_paths(v) for k, v in value.items() if not _is_path(v)}
    if isinstance(value, list):
        return [without_paths(each) for each in value if not _is_path(each)]
    return value


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values."""
    for name, each in value.items():
        if isinstance(each, Mapping):
            yield from flat(each, f"{prefix}{name}.")
        else:
            yield prefix + name, each


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)
