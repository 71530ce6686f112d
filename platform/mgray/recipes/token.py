"""The endpoint's token, as its clients find it."""

import os
from pathlib import Path

from mgray.errors import ConfigError


def token_header(token_file: Path | None = None) -> dict[str, str]:
    """Header of every request: from a file, else ``MGRAY_TOKEN_FILE``, else ``MGRAY_TOKEN``.

    Returns:
        Empty if none of them tells a token; an endpoint may ask for none on its own machine.

    Raises:
        ConfigError: The file cannot be read, or is empty.
    """
    path = token_file or os.environ.get("MGRAY_TOKEN_FILE")
    try:
        words = Path(path).read_text().split() if path else [os.environ.get("MGRAY_TOKEN", "")]
        token = words[0].strip()
    except (OSError, IndexError, UnicodeDecodeError):
        raise ConfigError(f"token_file={str(path)!r} has no token: give a readable file") from None
    if not token.isascii() or not token.isprintable():
        raise ConfigError("the token has signs that no HTTP header can hold: expected ASCII")
    return {"Authorization": f"Bearer {token}"} if token else {}
