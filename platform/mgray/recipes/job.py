"""One step of a recipe as a job of its own: what works here works with ``ray job submit``."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from mgray.errors import MgrayError

PSEUDONYM_KEY: Final = "phantoms have no identity to protect"


def run_job(words: Sequence[str]) -> None:
    """Run ``python -m`` with these words.

    Raises:
        MgrayError: It failed; its own last line says why.
    """
    env = {"MGRAY_PSEUDONYM_KEY": PSEUDONYM_KEY, **os.environ}
    done = subprocess.run([sys.executable, "-m", *words], env=env, check=False)
    if done.returncode:
        raise MgrayError(
            f"the step {words[0]} ended with exit code {done.returncode}: its last line says why; "
            "the same command continues from here"
        )
