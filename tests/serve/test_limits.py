"""What one client can make the running endpoint do, and what it cannot."""

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from mgray.recipes.bench.memory import descendants, memory, titled

pytestmark = pytest.mark.ray
MIB = 2**20
PROXY = "ray::ProxyActor"


@pytest.fixture
def connection(client):
    """A plain connection with which a request can be sent as slowly as one likes."""
    parts = urlsplit(str(client.base_url))
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        yield connection


def head(client, *lines):
    told = [
        "POST /v1/detect HTTP/1.1",
        "Host: x",
        f"Authorization: {client.headers['authorization']}",
    ]
    return ("\r\n".join([*told, "Content-Type: application/dicom", *lines]) + "\r\n\r\n").encode()


def test_a_chunked_upload_of_200_mb_is_cut_off_at_50_while_memory_stays_flat(client, detect):
    sent, peak, over = 0, [memory(titled(PROXY))], threading.Event()

    def watch():
        while not over.wait(0.05):
            peak.append(memory(titled(PROXY)))

    def stream():
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield bytes(MIB)

    watcher = threading.Thread(target=watch)
    watcher.start()
    answer = detect(stream())
    over.set()
    watcher.join()
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert 50 <= sent < 100
    assert max(peak) - peak[0] < 90 * MIB  # 50 of the body, and what the network holds


def test_an_announced_200_mb_is_refused_before_a_byte_is_sent(client, connection):
    connection.sendall(head(client, f"Content-Length: {200 * MIB}"))
    assert connection.recv(1000).startswith(b"HTTP/1.1 413")


def test_401_comes_before_the_body(client, connection):
    connection.sendall(b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 401")


def test_a_body_that_stalls_is_408(client, connection):
    connection.sendall(head(client, "Content-Length: 1000") + b"a few bytes")
    answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"x-request-id" in answer.lower()


def test_metrics_and_the_description_are_for_who_has_the_token(client):
    for path in ("/metrics", "/openapi.json", "/-/routes"):
        assert httpx.get(client.base_url.join(path)).status_code == 401


def test_no_other_web_site_may_ask(client):
    answer = client.options(
        "/v1/detect",
        headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"},
    )
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_clients_that_hang_up_free_their_places(client, detect, make_dicom):
    """As many as fit in the queue hang up; as many others are then answered, each with its own."""
    body = make_dicom(height=3000)
    request = head(client, f"Content-Length: {len(body)}") + body
    parts = urlsplit(str(client.base_url))
    gone = [socket.create_connection((parts.hostname, parts.port)) for _ in range(8)]
    for one in gone:
        one.sendall(request)
    time.sleep(0.3)
    for one in gone:
        one.close()
    heights, end = range(300, 460, 20), time.monotonic() + 30  # a busy machine notices late
    statuses = [503]
    while set(statuses) != {200} and time.monotonic() < end:
        with ThreadPoolExecutor(8) as pool:
            bodies = [make_dicom(height=height) for height in heights]
            answers = list(pool.map(detect, bodies))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {200, 503}
        for answer, height in zip(answers, heights, strict=True):
            if answer.status_code == 200:
                assert answer.json()["images"][0]["image"]["rows"] == height, "another's answer"
        time.sleep(0.5)
    assert statuses == [200] * 8


def detections(answer):
    return answer.json()["images"][0]["detections"]


def test_a_file_that_kills_its_decoder_hurts_nobody_else(detect, make_dicom):
    """The child is killed while it decodes, as a file that breaks a codec would do it."""
    (replica,) = titled("ray::ServeReplica:mgray:Decoder")
    (child,) = descendants(replica)
    good = detect(make_dicom())
    with ThreadPoolExecutor(4) as pool:
        poison = pool.submit(detect, make_dicom(height=3000))
        time.sleep(0.15)
        others = [pool.submit(detect, make_dicom()) for _ in range(3)]
        os.kill(child, signal.SIGKILL)
        answers = [one.result() for one in (poison, *others)]
    hurt = [answer for answer in answers if answer.status_code != 200]
    assert [answer.status_code for answer in hurt] in ([], [422]), "the one under way, at most"
    for answer in answers[1:]:
        assert answer in hurt or detections(answer) == detections(good)
    assert descendants(replica) != {child}
