"""How soon the endpoint answers again once all replicas of a part were killed."""

import os
import signal
import time
from collections import Counter
from typing import Final

import httpx

from mgray.recipes.bench.memory import titled
from mgray.recipes.endpoint import Served

PARTS: Final = ("Decoder", "Detector", "Endpoint")
GIVE_UP_S: Final = 90.0
"""An answer that takes longer is a hang; the endpoint's own deadline is 60 s."""


def replicas(part: str) -> list[int]:
    """List the processes of a part."""
    return titled(f"ray::ServeReplica:detect:{part}")


def recovery_note(served: Served, body: bytes, part: str) -> str:
    """Kill every replica of a part, and ask until there is an answer."""
    headers = {"Content-Type": "application/dicom", **served.headers()}
    for pid in replicas(part):
        os.kill(pid, signal.SIGKILL)
    start, others = time.monotonic(), Counter[int]()
    while time.monotonic() - start < GIVE_UP_S:
        try:
            url = f"{served.url}/v1/detect"
            status = httpx.post(url, content=body, headers=headers, timeout=GIVE_UP_S).status_code
        except httpx.TransportError:
            status = 0
        if status == httpx.codes.OK:
            break
        others[status] += 1
        time.sleep(0.1)
    told = ", ".join(f"{status}: {n}" for status, n in others.items()) or "none"
    took = time.monotonic() - start
    found = f"an answer after {took:.1f} s" if took < GIVE_UP_S else f"no answer in {took:.0f} s"
    return f"{part} killed: {found} (goal 10); before: {told}"
