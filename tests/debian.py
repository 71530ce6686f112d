"""Packages of Debian that tests need: installed where allowed, by one process at a time."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 120
LOCK: Final = Path(tempfile.gettempdir()) / "mgray-tests-apt.lock"
"""Root's; nobody else comes to it."""


def find_or_install(find: Callable[[], str | None], *packages: str) -> str | None:
    """Find a program; if it is not there and this is root on Debian, install it first.

    Test processes that come meanwhile wait: apt-get itself would turn them away.

    Args:
        find: Tells its path, if it and all that it needs are there.
        packages: That bring it.
    """
    if find() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if find() is None:
                _install(packages)
    return find()


def _install(packages: tuple[str, ...]) -> None:
    """Try to; another's apt-get, beside the tests, is waited for."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", f"DPkg::Lock::Timeout={PATIENCE_S}"]
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        subprocess.run([*apt, *words], env=env, capture_output=True, check=False)
