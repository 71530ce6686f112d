import subprocess
import sys
from pathlib import Path

import pytest

from mgray import heap

PLATFORM = Path(heap.__file__).parents[1]
IMAGES = """
import resource, sys
import numpy as np
from mgray import heap
if sys.argv[1] == "keep":
    if not heap.keep_freed_memory():
        print(-1)
        sys.exit()
def decode():
    values = np.ones(850_000, np.int16)
    wide = values.astype(np.int32)
    return (wide - np.int32(1)).astype(np.float32)
for _ in range(3):
    decode()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    decode()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 20)
"""


def pages_of_an_image(how: str) -> int:
    """Pages that the system hands out for each image once some were decoded."""
    command = [sys.executable, "-c", IMAGES, how]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(PLATFORM)}, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_the_next_image_takes_the_memory_of_the_one_before() -> None:
    kept = pages_of_an_image("keep")
    if kept < 0:
        pytest.skip("this C library cannot be told")
    assert kept < 5 < pages_of_an_image("give back")
