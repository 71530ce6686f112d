from pathlib import Path

import pytest

from mgray.errors import ConfigError
from mgray.recipes.token import token_header


def test_a_file_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MGRAY_TOKEN_FILE", raising=False)
    monkeypatch.setenv("MGRAY_TOKEN", "three\n")
    assert token_header() == {"Authorization": "Bearer three"}
    for name, word in (("told", "two"), ("given", "one")):
        (tmp_path / name).write_text(f"{word}\nolder\n")
    monkeypatch.setenv("MGRAY_TOKEN_FILE", str(tmp_path / "told"))
    assert token_header() == {"Authorization": "Bearer two"}
    assert token_header(tmp_path / "given") == {"Authorization": "Bearer one"}


def test_without_a_token_there_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MGRAY_TOKEN_FILE", raising=False)
    monkeypatch.delenv("MGRAY_TOKEN", raising=False)
    assert token_header() == {}


def test_a_file_without_a_token_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no token: give a readable file"):
        token_header(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"\xff\xfe\x00", "has no token"), ("••••".encode(), "no HTTP header can hold")],
)
def test_a_token_that_no_header_can_hold_is_one_clear_line(
    tmp_path: Path, data: bytes, line: str
) -> None:
    (tmp_path / "token").write_bytes(data)
    with pytest.raises(ConfigError, match=line):
        token_header(tmp_path / "token")
