"""The token that opens the app where nobody signs in: once in the address that is printed, then as a cookie.

It lies in the home, so that it holds over restarts; whoever can read it can run the command line as well. Invariant:
the cookie is not the token but is made from it, for one port, so that it opens nothing else.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.errors import FedPromptError
from fedprompt.workspace.home import Home
from fedprompt.workspace.secret_file import secret_in

__all__ = ["FILE", "PARAMETER", "Entry", "entry_of"]

FILE = "ui.token"
PARAMETER = "token"
BYTES = 32
KEPT_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Entry:
    """The token of one home's app at one port; ``cookie`` and ``value`` are what a browser keeps."""

    token: str = field(repr=False)
    cookie: str
    value: str = field(repr=False)

    def opens(self, token: str) -> bool:
        """Return whether this is the token."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def is_held(self, cookies: str) -> bool:
        """Return whether a browser's ``Cookie`` header has the cookie."""
        for pair in cookies.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie and hmac.compare_digest(value.encode("utf-8", "replace"), self.value.encode()):
                return True
        return False

    def given(self, secure: bool) -> str:
        """Return the ``Set-Cookie`` header that lets a browser in from now on."""
        kept = f"{self.cookie}={self.value}; Path=/; Max-Age={KEPT_SECONDS}; HttpOnly; SameSite=Strict"
        return f"{kept}; Secure" if secure else kept

    def address(self, origin: str, path: str = "/") -> str:
        """Return an address of the app with the token in it."""
        return f"{origin}{path}{'&' if '?' in path else '?'}{PARAMETER}={self.token}"


def entry_of(home: Home, port: int) -> Entry:
    """Return the token of a home's app, made at first use.

    Raises:
        FedPromptError: it cannot be made or read, others can read it, or it holds no token.
    """
    token = _token(home.path / FILE)
    key = token.encode()
    name = hmac.digest(key, f"name {port}".encode(), "sha256").hex()[:16]
    return Entry(token, f"fedprompt_{name}", hmac.digest(key, f"cookie {port}".encode(), "sha256").hex())


def _token(path: Path) -> str:
    made = secret_in(path, "the app's token", lambda: secrets.token_urlsafe(BYTES).encode() + b"\n", 200)
    text = made.decode("utf-8", "replace").strip()
    if not BYTES <= len(text) <= 200 or not all(mark.isascii() and (mark.isalnum() or mark in "-_") for mark in text):
        raise FedPromptError(
            f"{path} has no token; delete the file, and the next start creates a new one", code="no-token"
        )
    return text
