"""Where and with which code the bench ran."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mgray.training.run import git_commit

CPUINFO: Final = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory, GPU, and how busy it was in the last minute."""
    import torch

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load": round(os.getloadavg()[0], 1),
    }


def describe_code() -> dict[str, Any]:
    """Commit, whether files differ from it, and the date."""
    return {
        "commit": git_commit(),
        "changed": _is_changed(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu_model() -> str:
    for line in CPUINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _is_changed() -> bool:
    command = ["git", "-C", str(Path(__file__).parent), "status", "--porcelain"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return False
    return bool(done.stdout)
