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
from serve.answers import Refusal
from serve.decoder import DECODER
from tests.serve.processes import pids_of

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
def test_a_killed_replica_answers_again_within_ten_seconds(client, make_dicom, name):
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
        while time.monotonic() < killed + 20 and not [
            when for when, status in load.told if status == 200 and when > killed + 0.5
        ]:
            time.sleep(0.1)
        time.sleep(1)
    good = [when for when, status in load.told if status == 200 and when > killed + 0.5]
    assert min(good) - killed <= 10
    statuses = Counter(status for _, status in load.told)
    assert set(statuses) <= {200, 503}, statuses
    assert pids_of(f"ray::ServeReplica:mgray:{name}") != replicas


@pytest.mark.filterwarnings("ignore:The `metrics_interval_s` field:DeprecationWarning")
def test_decoders_come_and_go_with_the_load_and_no_request_fails(endpoint, models, make_dicom):
    quick = {
        "min_replicas": 1,
        "max_replicas": 4,
        "target_ongoing_requests": 1,
        "upscale_delay_s": 0.2,
        "downscale_delay_s": 1,
        "look_back_period_s": 0.5,
        "metrics_interval_s": 0.2,
    }
    deployment = DECODER.options(
        name="Scaled", autoscaling_config=quick, ray_actor_options={"num_cpus": 0}
    )
    application = deployment.bind(Shelf(models), "fused/1", DEFAULT_LIMITS)
    decoder = serve.run(application, name="scaled", route_prefix=None)
    body = make_dicom()

    def ask():
        return type(decoder.remote(body, "fused/1").result(timeout_s=60))

    def most():
        return len(pids_of("ray::ServeReplica:scaled:Scaled"))

    with Load(ask, clients=8) as load:
        wait_for(lambda: most() == 4, 60)
    wait_for(lambda: most() == 1, 60)
    serve.delete("scaled")
    assert Refusal not in {kind for _, kind in load.told}
    assert len(load.told) > 8


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
