"""Run a recipe's stages in order: skip what is done, continue what was cut off, record it all."""

import json
import logging
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

from mgray.config import Config, fingerprint, save_yaml
from mgray.errors import ConfigError
from mgray.files import write_text
from mgray.training.journal import follow, steps_done
from mgray.training.port import LocalPort
from mgray.training.stages import Stage, train_stage

log = logging.getLogger(__name__)

CONFIG_FILE: Final = "config.resolved.yaml"
RUN_FILE: Final = "run.json"
PACKAGES: Final = ("mgray", "numpy", "pyarrow", "ray", "timm", "torch", "torchvision")
MAY_CHANGE: Final = {
    "data",
    "out",
    "train.workers",
    "train.min_workers",
    "train.gpu",
    "train.cpus_per_worker",
} | {
    "train.threads",
    "train.max_failures",
}


def run_stages(
    stages: Sequence[Stage], config: Config, out: Path, content: str, *, use_ray: bool
) -> None:
    """Train each stage that has no model folder yet.

    Args:
        stages: In the order in which they feed each other.
        config: The run's full config; saved.
        out: Run folder.
        content: Hash of the rows of the image table, which may move but not change under a run.
        use_ray: On Ray Train workers; else in this process.

    Raises:
        ConfigError: ``out`` holds a run of another config, or on other data.
    """
    claim(out, config)
    record = claim_data(out, config, content)
    for number, stage in enumerate(stages, start=1):
        title = f"stage {number}/{len(stages)} {stage.name}"
        if stage.model.is_dir():
            log.info("%s: done already", title)
            continue
        start = time.monotonic()
        with follow(stage.loop.folder / "metrics.jsonl", title, stage.loop.steps):
            run_stage(stage, use_ray=use_ray and (stage.loop.steps > 0 or stage.loop.train.gpu))
        record["stages"][stage.name] = {
            "steps": steps_done(stage.loop.folder / "metrics.jsonl"),
            "seconds": round(time.monotonic() - start, 1),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_record(out, record)


def run_stage(stage: Stage, *, use_ray: bool) -> None:
    """Train one stage here or on Ray."""
    if use_ray:
        from mgray.training.worker import train_on_ray

        train_on_ray(stage)
        return
    device = torch.device("cuda" if stage.loop.train.gpu else "cpu")
    train_stage(stage, LocalPort(stage.loop.folder, device))


def claim(out: Path, config: Config) -> None:
    """Save the resolved config into a run folder, or check that it holds this very run.

    Raises:
        ConfigError: It holds a run of another config; names the first key that differs.
    """
    import yaml

    out.mkdir(parents=True, exist_ok=True)
    path = out / CONFIG_FILE
    new = dict(_flat(config.model_dump(mode="json")))
    old = dict(_flat(yaml.safe_load(path.read_text()))) if path.is_file() else new
    for key in sorted((new.keys() | old.keys()) - MAY_CHANGE):
        if new.get(key) != old.get(key):
            raise ConfigError(
                f"{str(out)!r} holds a run with {key}={old.get(key)}, not {new.get(key)}: "
                "give another out=DIR"
            )
    save_yaml(config, path)


def claim_data(out: Path, config: Config, content: str) -> dict[str, Any]:
    """Note what a run learns from, or check that it is what it began with; return its record.

    Raises:
        ConfigError: It began with other rows.
    """
    record = read_record(out) or new_record(config)
    if record.setdefault("data", content) != content:
        raise ConfigError(
            f"{str(out)!r} holds a run on an image table with other rows: give another out=DIR, "
            "or the table as it was"
        )
    write_record(out, record)
    return record


def new_record(config: Config) -> dict[str, Any]:
    """Describe the run: code, versions, machine."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "fingerprint": fingerprint(config),
        "seed": config.model_dump().get("seed"),
        "commit": git_commit(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
        "machine": {"cpus": os.cpu_count(), "cpu": platform.machine(), "gpu": gpu},
        "stages": {},
    }


def read_record(out: Path) -> dict[str, Any] | None:
    """Read ``run.json``, if there is one."""
    path = out / RUN_FILE
    return json.loads(path.read_text()) if path.is_file() else None


def write_record(out: Path, record: Mapping[str, Any]) -> None:
    """Write ``run.json`` whole or not at all."""
    write_text(out / RUN_FILE, json.dumps(record, indent=2) + "\n")


def git_commit() -> str | None:
    """Return the commit of the checkout that runs, if it is one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
