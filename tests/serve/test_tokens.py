import hmac
from pathlib import Path

import pytest

from mgray.errors import ConfigError
from serve.tokens import Tokens, new_token

TOKEN, OTHER = "0123456789abcdef", "fedcba9876543210"


def test_the_token_of_the_environment_fits() -> None:
    assert Tokens({"MGRAY_TOKEN": TOKEN}).fits(f"Bearer {TOKEN}")


def test_the_scheme_may_be_written_in_any_case() -> None:
    assert Tokens({"MGRAY_TOKEN": TOKEN}).fits(f"bearer {TOKEN}")


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff"]
)
def test_anything_else_does_not_fit(given: str) -> None:
    assert not Tokens({"MGRAY_TOKEN": TOKEN}).fits(given)


def test_every_line_of_the_file_fits(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n{OTHER}\n")
    tokens = Tokens({"MGRAY_TOKEN_FILE": str(tmp_path / "token")})
    assert tokens.fits(f"Bearer {TOKEN}")
    assert tokens.fits(f"Bearer {OTHER}")


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    tokens = Tokens({"MGRAY_TOKEN_FILE": str(path)})
    (tmp_path / "next").write_text(OTHER)
    (tmp_path / "next").replace(path)
    assert tokens.fits(f"Bearer {OTHER}")
    assert not tokens.fits(f"Bearer {TOKEN}")


@pytest.mark.parametrize("damage", ["", "short"])
def test_a_file_that_is_damaged_later_changes_nothing(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    tokens = Tokens({"MGRAY_TOKEN_FILE": str(path)})
    path.write_text(damage)
    assert tokens.fits(f"Bearer {TOKEN}")


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    tokens = Tokens({"MGRAY_TOKEN_FILE": str(path)})
    path.unlink()
    assert tokens.fits(f"Bearer {TOKEN}")


def test_no_token_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="no token: set MGRAY_TOKEN_FILE"):
        Tokens({})


def test_a_short_token_is_refused_without_being_told() -> None:
    with pytest.raises(ConfigError, match="a token of 6 characters: expected 16") as refused:
        Tokens({"MGRAY_TOKEN": "secret"})
    assert "'secret'" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere' cannot be read \(FileNotFoundError\)"):
        Tokens({"MGRAY_TOKEN_FILE": str(tmp_path / "nowhere")})


def test_new_tokens_differ_and_are_long_enough() -> None:
    assert len({new_token() for _ in range(10)}) == 10
    Tokens({"MGRAY_TOKEN": new_token()})


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def watched(a: bytes, b: bytes) -> bool:
        compared.append(b)
        return original(a, b)

    original = hmac.compare_digest
    tokens = Tokens({"MGRAY_TOKEN": TOKEN})
    monkeypatch.setattr("serve.tokens.hmac.compare_digest", watched)
    tokens.fits("Basic nothing")
    assert len(compared) == 1
