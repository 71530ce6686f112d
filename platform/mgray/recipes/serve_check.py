"""Does a running endpoint do what it should? Asked from outside, over HTTP."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
import numpy as np

from mgray.config import Config
from mgray.errors import ConfigError, DataError, MgrayError
from mgray.recipes.address import Address
from mgray.recipes.token import token_header

if TYPE_CHECKING:
    from mgray.inference.predictor import Detection

log = logging.getLogger(__name__)
RAY_PORTS: Final = (6379, 8265, 10001)
"""Of a Ray head: its store, its dashboard with the jobs, its client server."""
DICOM: Final = {"Content-Type": "application/dicom"}
CHUNK: Final = bytes(2**20)
PIXELS_OFF: Final = 0.5
SCORE_OFF: Final = 1e-4
TOO_MUCH: Final = 200
"""Chunks of a body that no endpoint should take in whole."""


class ServeCheckConfig(Config):
    """What is checked, and against what."""

    url: Address
    """Address of the endpoint, e.g. http://127.0.0.1:8000."""
    token_file: Path | None = None
    """Its first line is the token; else MGRAY_TOKEN_FILE or MGRAY_TOKEN tells it."""
    model: Path | None = None
    """Folder of the model that should answer; its own answer to the reference image is compared."""
    limits: bool = True
    """Whether 200 MB are offered, which the endpoint should not take."""


class _CheckError(MgrayError):
    """A check found a fault."""


def run_serve_check(config: ServeCheckConfig) -> int:
    """Print a line for each check; returns the exit code, 1 if one failed.

    Raises:
        ConfigError: No token to ask with.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    failed = 0
    with httpx.Client(
        base_url=config.url, timeout=120, headers=required_token(config.token_file) | DICOM
    ) as client:
        for name, check in _checks(config, client):
            try:
                said = check()
            except (MgrayError, httpx.HTTPError, OSError, KeyError, ValueError) as fault:
                failed += 1
                log.info("FAILED  %-22s %s", name, fault or type(fault).__name__)
            else:
                log.info("ok      %-22s %s", name, said)
    return int(failed > 0)


def _checks(
    config: ServeCheckConfig, client: httpx.Client
) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "it lives and is ready", lambda: _health(client)
    yield "strangers are refused", lambda: _strangers(client)
    yield "Ray is out of reach", lambda: _ports(config.url)
    yield "the reference image", lambda: _reference(client, config.model)
    yield "not DICOM is refused", lambda: _refuses(client)
    if config.limits:
        yield "endless bodies end", lambda: _endless(client)
    yield "it counts", lambda: _metrics(client)


def required_token(token_file: Path | None) -> dict[str, str]:
    """Header of every request.

    Raises:
        ConfigError: There is no token.
    """
    header = token_header(token_file)
    if not header:
        raise ConfigError("no token: give token_file=FILE or set MGRAY_TOKEN_FILE or MGRAY_TOKEN")
    return header


def compare_answer(answer: dict[str, Any], model: Path) -> str:
    """Compare an endpoint's answer to the reference image with a model folder's own, made here.

    On processors of one kind they are equal bit for bit. A GPU adds up in another order: of its
    answer each box must lie within ``PIXELS_OFF`` and each score within ``SCORE_OFF``.

    Returns:
        How equal they are, in words.

    Raises:
        DataError: They differ, another model answered, or the model fails its smoke test.
    """
    from mgray.inference.predictor import Predictor
    from mgray.inference.smoke import smoke_test
    from mgray.models.folder import model_sha256

    told = answer["model"]["sha256"]
    if told != model_sha256(model):
        raise DataError(f"another model answers: {told[:12]}")
    expected = smoke_test(Predictor.load(model))
    found = answer["images"][0]["detections"]
    if [(one["box"], one["score"], one["label"]) for one in found] == [
        (list(own.box), own.score, own.label) for own in expected
    ]:
        return "bit for bit"
    if len(found) != len(expected) or not all(map(_is_close, found, expected)):
        raise DataError("the endpoint's answer to the reference image is not the model's own")
    return "but for rounding, as by another kind of processor"


def _is_close(found: dict[str, Any], own: "Detection") -> bool:
    off = np.abs(np.subtract(found["box"], own.box)).max()
    near = off < PIXELS_OFF and abs(found["score"] - own.score) < SCORE_OFF
    return bool(near and found["label"] == own.label)


def _health(client: httpx.Client) -> str:
    for path in ("/livez", "/readyz"):
        _expect(httpx.get(client.base_url.join(path), timeout=30), 200)
    return "/livez and /readyz answer 200"


def _strangers(client: httpx.Client) -> str:
    for token in ({}, {"Authorization": "Bearer not-the-token-of-this-endpoint"}):
        head = {"Content-Type": "application/dicom", **token}
        url = client.base_url
        _expect(httpx.post(url.join("/v1/detect"), content=b"x", headers=head), 401)
        for path in ("/metrics", "/openapi.json"):
            _expect(httpx.get(url.join(path), headers=head), 401)
    answer = client.options("/v1/detect", headers={"Origin": "https://example.org"})
    if "access-control-allow-origin" in answer.headers:
        raise _CheckError("other web sites may ask: CORS is on")
    return "401 without a token and with a wrong one; no CORS"


def _ports(url: str) -> str:
    host = urlsplit(url).hostname or ""
    if host in ("127.0.0.1", "localhost", "::1"):
        return "not looked at: this is the machine itself"
    for port in RAY_PORTS:
        with socket.socket() as probe:
            probe.settimeout(2)
            if probe.connect_ex((host, port)) == 0:
                raise _CheckError(f"port {port} of Ray answers: close it to other machines")
    return f"ports {', '.join(map(str, RAY_PORTS))} do not answer"


def _reference(client: httpx.Client, model: Path | None) -> str:
    from mgray.inference.smoke import reference_image

    start = time.monotonic()
    answer = _expect(client.post("/v1/detect", content=reference_image()), 200).json()
    seconds = time.monotonic() - start
    same = "not compared: give model=FOLDER"
    if model is not None:
        same = f"as the model folder's own answer, {compare_answer(answer, model)}"
    found, told = answer["images"][0]["detections"], answer["model"]["sha256"]
    return f"{len(found)} boxes in {seconds:.2f} s by {told[:12]}; {same}"


def _refuses(client: httpx.Client) -> str:
    problem = _expect(client.post("/v1/detect", content=b"no DICOM" * 100), 415).json()
    if problem["code"] != "not_dicom":
        raise _CheckError(f"refused as {problem['code']}")
    return "415 not_dicom"


def _endless(client: httpx.Client) -> str:
    sent = 0

    def stream() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(TOO_MUCH):
            sent += 1
            yield CHUNK

    start = time.monotonic()
    _expect(client.post("/v1/detect", content=stream()), 413)
    if sent == TOO_MUCH:
        raise _CheckError(
            f"{TOO_MUCH} MiB were taken in before the answer: Serve's proxy lacks the gate"
        )
    return f"413 after {sent} of {TOO_MUCH} MiB, in {time.monotonic() - start:.1f} s"


def _metrics(client: httpx.Client) -> str:
    text = _expect(client.get("/metrics"), 200).text
    names = {line.split("{")[0] for line in text.splitlines() if line.startswith("mgray_")}
    missing = {"mgray_requests_total", "mgray_stage_seconds_count"} - names
    if missing:
        raise _CheckError(f"no {', '.join(sorted(missing))}")
    return f"/metrics has {len(names)} series of mgray"


def _expect(answer: httpx.Response, status: int) -> httpx.Response:
    if answer.status_code == status:
        return answer
    try:
        code = answer.json().get("code", "no code")
    except json.JSONDecodeError:
        code = "no problem+json"
    raise _CheckError(
        f"{answer.request.method} {answer.request.url.path}: {answer.status_code} ({code}), "
        f"expected {status}"
    )
