"""Where an endpoint is: ``http://HOST:PORT``."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def check_address(text: str) -> str:
    """Take an address without the slash at its end.

    Raises:
        ValueError: It is none.
    """
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or not text.isascii() or any(sign.isspace() for sign in text):
        raise ValueError("expected an address such as http://127.0.0.1:8000")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(check_address)]
