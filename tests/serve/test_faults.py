"""Replicas that are killed under load, and replicas that come and go with it."""

import os
import signal
import threading
import time
from collections import Counter

import httpx
import pytest
from ray import serve

from mgray.dicom.limits import DEFAULT_LIMITS
from mgray.models.shelf import Shelf
from serve.decoder import DECODER
from tests.serve.processes import pids_of

SECONDS = 60
"""The goal is 10, which ``make bench`` measures; here several suites may share two cores."""
pytestmark = [pytest.mark.ray, pytest.mark.slow]


class Load:
    """Clients that ask again and again until the ``with`` block ends."""

    def __init__(self, ask, clients):
        self.ask, self.over = ask, threading.Event()
        self.told = []
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _run(self):
        while not self.over.is_set():
            self.told.append((time.monotonic(), self.ask()))


@pytest.mark.parametrize("name", ["Decoder", "Detector", "Endpoint"])
def test_a_killed_replica_comes_back_and_only_its_own_requests_fail(client, make_dicom, name):
    body = make_dicom()
    head = {"Content-Type": "application/dicom", **client.headers}

    def ask():
        answer = httpx.post(
            client.base_url.join("/v1/detect"), content=body, headers=head, timeout=60
        )
        if answer.status_code != 200:
            assert answer.headers["retry-after"]
        return answer.status_code

    replicas = pids_of(f"ray::ServeReplica:mgray:{name}")
    with Load(ask, clients=3) as load:
        time.sleep(1)
        killed = time.monotonic()
        for pid in replicas:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        while time.monotonic() < killed + SECONDS and not [
            when for when, status in load.told if status == 200 and when > killed + 0.5
        ]:
            time.sleep(0.1)
        time.sleep(1)
    good = [when for when, status in load.told if status == 200 and when > killed + 0.5]
    assert good, f"no answer within {SECONDS} s"
    statuses = Counter(status for _, status in load.told)
    assert set(statuses) <= {200, 503}, statuses
    assert pids_of(f"ray::ServeReplica:mgray:{name}") != replicas


class Asking:
    """A deployment that asks decoders: only what Serve itself runs counts for their number."""

    def __init__(self, decoder):
        self.decoder = decoder

    async def __call__(self, body):
        return type(await self.decoder.remote(body, "fused/1", None)).__name__


@pytest.mark.filterwarnings("ignore:The `metrics_interval_s` field:DeprecationWarning")
def test_decoders_come_and_go_with_the_load_and_no_request_fails(endpoint, models, make_dicom):
    quick = {
        "min_replicas": 1,
        "max_replicas": 4,
        "target_ongoing_requests": 1,
        "upscale_delay_s": 0.2,
        "downscale_delay_s": 3,
        "look_back_period_s": 3,
        "metrics_interval_s": 1,
    }
    free = {"num_cpus": 0}
    deployment = DECODER.options(
        name="Scaled", autoscaling_config=quick, ray_actor_options=free, max_queued_requests=100
    ).bind(Shelf(models), "fused/1", DEFAULT_LIMITS)
    asking = serve.deployment(max_ongoing_requests=100, ray_actor_options=free)(Asking)
    handle = serve.run(asking.bind(deployment), name="scaled", route_prefix=None)
    body = make_dicom()

    def ask():
        return handle.remote(body).result(timeout_s=60)

    def most():
        return len(pids_of("ray::ServeReplica:scaled:Scaled"))

    with Load(ask, clients=8) as load:
        wait_for(lambda: most() == 4, 60)
    wait_for(lambda: most() == 1, 60)
    serve.delete("scaled")
    assert {kind for _, kind in load.told} == {"Decoded"}
    assert len(load.told) > 8


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
