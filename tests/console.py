"""Commands run as a user runs them: in a process of their own, from the checkout."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_python(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with ``words``, ``variables`` added to its environment."""
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"} | variables
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def run_job(name: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m jobs.NAME`` with ``words``."""
    return run_python("-m", f"jobs.{name}", *words, **variables)


def imported(module: str) -> set[str]:
    """All modules that are loaded once ``module`` is imported."""
    done = run_python("-c", f"import sys, {module}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
