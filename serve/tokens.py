"""Who may ask: bearer tokens from a file or the environment, never from a flag or a config."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mgray.errors import ConfigError

TOKEN: Final = "MGRAY_TOKEN"
TOKEN_FILE: Final = "MGRAY_TOKEN_FILE"
SHORTEST: Final = 16


class Tokens:
    """The tokens that open the endpoint; a file is read again when it changes.

    Args:
        environ: Names a file with ``MGRAY_TOKEN_FILE``, one token a line (two while a token is
            replaced), or gives one with ``MGRAY_TOKEN``.

    Raises:
        ConfigError: Neither is set, the file cannot be read, or a token is short.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._path = Path(environ[TOKEN_FILE]) if environ.get(TOKEN_FILE) else None
        self._changed = self._stamp()
        self._digests = self._read() if self._path else _digests([environ.get(TOKEN, "")])

    def fits(self, authorization: str) -> bool:
        """Tell whether an ``Authorization`` header holds a token, in the same time whatever it is.

        References:
            RFC 6750 §2.1.
        """
        self._refresh()
        scheme, _, given = authorization.partition(" ")
        digest = hashlib.sha256(given.strip().encode()).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return scheme.lower() == "bearer" and any(matches)

    def _refresh(self) -> None:
        stamp = self._stamp()
        if stamp == self._changed:
            return
        try:
            self._digests, self._changed = self._read(), stamp
        except ConfigError:  # half written, or gone: what was valid stays valid
            return

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            found = None
        return (found.st_mtime_ns, found.st_ino) if found else (0, 0)

    def _read(self) -> list[bytes]:
        try:
            return _digests(self._path.read_text().split() if self._path else [])
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{TOKEN_FILE}={str(self._path)!r} cannot be read ({type(error).__name__}): "
                "expected a text file with one token a line"
            ) from None


def new_token() -> str:
    """Make a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def _digests(tokens: list[str]) -> list[bytes]:
    if not any(tokens):
        raise ConfigError(
            f"the endpoint has no token: set {TOKEN_FILE} to a file with one, or {TOKEN}; "
            "MGRAY_AUTH=none answers this machine alone"
        )
    if min(map(len, tokens)) < SHORTEST:
        raise ConfigError(
            f"a token of {min(map(len, tokens))} characters: expected {SHORTEST} or more, as of "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return [hashlib.sha256(token.encode()).digest() for token in tokens]
