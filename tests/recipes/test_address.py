import pytest

from mgray.config import Config, build
from mgray.errors import ConfigError
from mgray.recipes.address import Address


class Asked(Config):
    url: Address


@pytest.mark.parametrize("text", ["http://127.0.0.1:8000", "https://[::1]", "https://ai.example/x"])
def test_an_address_loses_its_last_slash_only(text: str) -> None:
    assert build(Asked, {"url": text}).url == text
    assert build(Asked, {"url": f"{text}/"}).url == text


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8000",
        "http://[::1",
        "http://",
        "http://h:99999",
        "ftp://h",
        "http://h o",
        "http://é",
    ],
)
def test_what_is_none_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="expected an address such as http://127"):
        build(Asked, {"url": text})
