import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mgray.errors import MgrayError, NotFoundError
from mgray.recipes.endpoint import (
    Served,
    endpoint,
    find_token,
    free_port,
    serve_command,
    wait_until_ready,
)


@pytest.fixture
def busy() -> Iterator[int]:
    """A port somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_is_taken_as_it_is() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert free_port(port) == port


def test_the_next_port_is_taken_if_somebody_listens(busy: int) -> None:
    assert busy < free_port(busy) < busy + 100


def test_after_the_last_port_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: 0)
    with pytest.raises(MgrayError, match="no free port in 65530-65535"):
        free_port(65530)


def test_a_token_is_made_once_and_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MGRAY_TOKEN_FILE", raising=False)
    path = find_token(tmp_path)
    served = Served("http://127.0.0.1:8000", path)
    assert len(served.headers()["Authorization"]) > len("Bearer ") + 40
    assert path.stat().st_mode & 0o777 == 0o600
    assert find_token(tmp_path).read_text() == path.read_text()


def test_the_token_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGRAY_TOKEN_FILE", str(tmp_path / "mine"))
    assert find_token(tmp_path / "out") == tmp_path / "mine"


def test_a_missing_model_is_one_clear_line_before_anything_starts(tmp_path: Path) -> None:
    with (
        pytest.raises(NotFoundError, match="no model folder"),
        endpoint(tmp_path / "nowhere", tmp_path),
    ):
        pytest.fail("nothing is served")
    assert list(tmp_path.iterdir()) == []


def test_a_ray_that_runs_on_the_machine_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert serve_command(Path("x.yaml"))[1:] == ["run", "--address", "local", "x.yaml"]
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert serve_command(Path("x.yaml"))[1:] == ["run", "x.yaml"]


@pytest.mark.parametrize("code", ["", "import sys; sys.exit(3)"])
def test_a_server_that_ends_is_told_with_its_log(code: str, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", code]) as server:
        server.wait()
        with pytest.raises(MgrayError, match=r"did not become ready: see .*serve\.log"):
            wait_until_ready(server, "http://127.0.0.1:1", tmp_path / "serve.log")
