"""A running endpoint for as long as a ``with`` block: ``serve run`` as a child process."""

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from mgray.cluster import ADDRESS, LOCAL_ENVIRONMENT
from mgray.errors import MgrayError
from mgray.files import whole

READY_WITHIN_S: Final = 600.0
STOPPED_WITHIN_S: Final = 60.0
TOKEN_FILE: Final = "MGRAY_TOKEN_FILE"  # where the endpoint's gate looks
GATE: Final = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve.gate:proxy_middlewares"}


@dataclass(frozen=True)
class Served:
    """Where an endpoint listens, and what it asks for."""

    url: str
    """E.g. ``http://127.0.0.1:8000``."""
    token_file: Path
    """Its first line is the token."""

    def headers(self) -> dict[str, str]:
        """What every request to it needs."""
        return {"Authorization": f"Bearer {self.token_file.read_text().split()[0]}"}


@contextmanager
def endpoint(
    model: Path,
    folder: Path,
    port: int = 8000,
    deployments: Sequence[Mapping[str, Any]] = (),
    **args: Any,
) -> Iterator[Served]:
    """Serve a model on loopback, with a token.

    Args:
        model: Model folder.
        folder: Gets ``serve.yaml``, ``serve.log`` and, unless ``MGRAY_TOKEN_FILE`` names one that
            there is already, ``token``.
        port: Or the next free one.
        deployments: What a config file would say of single deployments, each with its ``name``.
        args: More arguments of the application.

    Raises:
        NotFoundError: No model folder, or no weights in it.
        MgrayError: No free port, or no answer within ten minutes.
    """
    from mgray.models.folder import read_meta

    read_meta(model)  # serve run would only log what is wrong with it
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each request
    port, token_file = free_port(port), find_token(folder)
    told = {TOKEN_FILE: str(token_file)}
    options = {
        "http_options": {"host": "127.0.0.1", "port": port},
        "applications": [_application({"model": str(model), **args}, told, deployments)],
    }
    (folder / "serve.yaml").write_text(yaml.safe_dump(options))
    with (folder / "serve.log").open("wb") as sink:
        server = subprocess.Popen(
            serve_command(folder / "serve.yaml"),
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env={**LOCAL_ENVIRONMENT, **GATE, **os.environ, **told},
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(server, address, folder / "serve.log")
        yield Served(address, token_file)
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def find_token(folder: Path) -> Path:
    """Name the file of the token: that of the environment, else one in ``folder``, made if needed.

    Nobody but its owner may read a file that is made here.
    """
    if os.environ.get(TOKEN_FILE):
        return Path(os.environ[TOKEN_FILE])
    path = folder / "token"
    if not path.is_file():
        with whole(path) as draft:
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(32) + "\n")
    return path


def serve_command(options: Path) -> list[str]:
    """``serve run`` on the cluster that ``RAY_ADDRESS`` names, else on a Ray of its own."""
    address = [] if os.environ.get(ADDRESS) else ["--address", "local"]
    return [str(Path(sys.executable).with_name("serve")), "run", *address, str(options)]


def wait_until_ready(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    """Wait for an answer of ``/readyz``.

    Raises:
        MgrayError: The server ended, or ten minutes are over.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{address}/readyz", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise MgrayError(f"the endpoint did not become ready: see {str(log)!r}")


def free_port(port: int) -> int:
    """Return this port, or the first after it on which nobody listens.

    Raises:
        MgrayError: A hundred are taken.
    """
    last = min(port + 99, 65535)
    for candidate in range(port, last + 1):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", candidate)) != 0:
                return candidate
    raise MgrayError(f"no free port in {port}-{last}: give port=NUMBER")


def _application(
    args: dict[str, Any], told: dict[str, str], deployments: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    names = {"name": "detect", "import_path": "serve.app:build", "route_prefix": "/"}
    joined = {"runtime_env": {"env_vars": told}} if os.environ.get(ADDRESS) else {}
    parts = {"deployments": [dict(one) for one in deployments]} if deployments else {}
    return {**names, "args": args, **parts, **joined}
