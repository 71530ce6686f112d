"""How long an endpoint that sleeps takes to its first answer."""

import time
from pathlib import Path
from typing import Any, Final

import httpx

from mgray.errors import MgrayError
from mgray.recipes.bench.recovery import GIVE_UP_S, replicas
from mgray.recipes.endpoint import Served, endpoint

SLEEPY: Final[dict[str, Any]] = {
    "name": "Detector",
    "autoscaling_config": {
        "min_replicas": 0,
        "initial_replicas": 1,
        "max_replicas": 1,
        "target_ongoing_requests": 4,
        "look_back_period_s": 4,
        "upscale_delay_s": 0,
        "downscale_delay_s": 2,
    },
}
"""A detector that goes when nobody asks, as docs/serving.md has it for a dear GPU."""
ASLEEP_WITHIN_S: Final = 300.0


def from_zero_note(model: Path, body: bytes, folder: Path) -> str:
    """Let the last detector go, ask, and time the answer.

    Raises:
        MgrayError: The detector stays, or the answer is not one.
    """
    with endpoint(model, folder, deployments=[SLEEPY]) as served:
        wait_until_asleep()
        took = first_answer(served, body)
    return f"first answer from zero detectors: {took:.1f} s (goal 10)"


def wait_until_asleep() -> None:
    """Wait until there is no detector.

    Raises:
        MgrayError: There still is one.
    """
    deadline = time.monotonic() + ASLEEP_WITHIN_S
    while replicas("Detector"):
        if time.monotonic() > deadline:
            raise MgrayError(f"a detector without work is still there after {ASLEEP_WITHIN_S:g} s")
        time.sleep(0.2)


def first_answer(served: Served, body: bytes) -> float:
    """Return the seconds until an answer.

    Raises:
        MgrayError: Its status is not 200.
    """
    headers = {"Content-Type": "application/dicom", **served.headers()}
    start = time.monotonic()
    url = f"{served.url}/v1/detect"
    answer = httpx.post(url, content=body, headers=headers, timeout=GIVE_UP_S)
    if answer.status_code != httpx.codes.OK:
        raise MgrayError(f"an endpoint without a detector answered {answer.status_code}, not 200")
    return time.monotonic() - start
