"""Hostile bodies over HTTP: only documented answers, no traceback, no value of a header.

``make fuzz-http N=100000`` sends as many as wanted; ``SEED`` gives others.
"""

import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.dicom.mutants import mutant

pytestmark = pytest.mark.ray
BODIES = int(os.environ.get("MGRAY_FUZZ_HTTP", "500"))
SEED = int(os.environ.get("MGRAY_FUZZ_SEED", "1"))
WORKERS = 4
DOCUMENTED = {200, 400, 406, 408, 413, 414, 415, 422, 431, 503, 504}
TYPES = (
    "application/dicom",
    "application/octet-stream",
    "multipart/form-data; boundary=x",
    "multipart/related; boundary=x; type=application/dicom",
    "multipart/form-data",
    "text/html; charset=\xff",
    'application/dicom; a="',
    "",
)


def request(seed, index):
    """Body and headers: half are mutants as they are, half come in odd clothes."""
    draw, body = random.Random(f"{seed} {index}"), mutant(seed, index)
    if index % 2:
        return body, {"Content-Type": "application/dicom"}
    return dressed(draw, body), odd_headers(draw)


def dressed(draw, body):
    """Wrap or damage a body in one of the ways that an intake must survive."""
    part = b"--x\r\ncontent-type: application/dicom\r\n\r\n"
    return draw.choice(
        [
            b"",
            draw.randbytes(draw.randrange(2000)),
            part + body + b"\r\n--x--\r\n",
            part + body,
            (part + body[:500] + b"\r\n") * 40 + b"--x--",
            b"--x" * 500,
            b"\x1f\x8b\x08" + draw.randbytes(100),
            body[: draw.randrange(1, len(body) + 1)],
        ]
    )


def odd_headers(draw):
    """Headers that a careless server would trip over."""
    odd = {
        "Content-Type": draw.choice(TYPES),
        "Content-Encoding": draw.choice(["gzip", "br", "identity", "gzip, gzip"]),
        "Accept": draw.choice(["*/*", "application/dicom", "text/html;q=x", ",,,"]),
        "X-Request-ID": draw.choice(["a", "\xe9" * 40, "DOE^JANE", "{}" * 50]),
        "X-Request-Timeout-Seconds": draw.choice(["0", "-1", "1e9", "nan"]),
        "Serve-Multiplexed-Model-Id": draw.choice(["x", "../../etc", "\xff"]),
        "Expect": "100-continue",
        "Range": "bytes=0-10,5-",
    }
    names = draw.sample(sorted(odd), draw.randrange(1, len(odd)))
    return {name: odd[name].encode("latin-1") for name in names}


def test_hostile_bodies_get_documented_answers(client):
    def ask(worker):
        statuses, wrong = Counter(), []
        with httpx.Client(base_url=client.base_url, timeout=120) as mine:
            for index in range(worker, BODIES, WORKERS):
                body, headers = request(SEED, index)
                headers = {"Authorization": client.headers["authorization"], **headers}
                answer = mine.post("/v1/detect", content=body, headers=headers)
                statuses[answer.status_code] += 1
                if not is_proper(answer):
                    wrong.append((index, answer.status_code, answer.text[:200]))
        return statuses, wrong

    with ThreadPoolExecutor(WORKERS) as pool:
        tallies = list(pool.map(ask, range(WORKERS)))
    statuses = sum((statuses for statuses, _ in tallies), Counter())
    assert [one for _, wrong in tallies for one in wrong] == []
    assert set(statuses) <= DOCUMENTED
    assert {200, 400, 415, 422} <= set(statuses), statuses  # they did get in
    assert statuses.total() == BODIES


def is_proper(answer):
    if any(word in answer.text + str(answer.headers) for word in ("Traceback", "DOE^JANE")):
        return False
    if answer.status_code == 200:
        return True
    plain = answer.headers["content-type"] == "application/problem+json"
    return plain and {"status", "code"} <= set(answer.json())
