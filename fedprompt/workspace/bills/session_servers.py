"""A chat server of one browser session: its address, its model, and a key that stays in the web server's memory.

The job process that asks the server is another process, and what it is given stands in a file. So the file holds a
handle, and the key is fetched with it over a socket that only this user can open. Invariant: a key is in no file, no
bank, no log and no error, and a handle is worth nothing once its session took it back or the app has ended.
"""

import atexit
import hmac
import os
import secrets
import socket
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, ValidationError

from fedprompt.errors import ModelError
from fedprompt.models.chat.config import ChatSettings, read_machine
from fedprompt.models.chat.through_langchain import LangChainChat
from fedprompt.study.schema import Closed

__all__ = ["HeldKey", "KeyRing", "SessionServer", "load_session_chat", "ring"]

MAX_KEY_BYTES = 4096
PATIENCE_SECONDS = 5.0
GONE = "the key of this session's server was kept only in memory and is gone; enter it again on the Models page"


class SessionServer(Closed):
    """``model`` is ``provider:model``; ``ring`` and ``handle`` say where its key is to be had, if it has one."""

    model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]+:\S{1,200}$")]
    base_url: Annotated[str, StringConstraints(max_length=2000)]
    ring: Annotated[str, StringConstraints(max_length=300)] | None = Field(default=None, repr=False)
    handle: Annotated[str, StringConstraints(pattern=r"^[\w-]{43}$")] | None = Field(default=None, repr=False)


def load_session_chat(server: SessionServer, home: Path) -> LangChainChat:
    """Return the chat model of a session's server.

    Raises:
        ModelError: its host is not allowed on this machine, its key is gone, or a package is not installed.
    """
    key = None
    if server.handle is not None and server.ring is not None:
        key = SecretStr(_fetch(server.ring, server.handle))
    try:
        settings = ChatSettings(model=server.model, base_url=server.base_url, key=key, retries=1)
    except ValidationError:
        raise ModelError(
            "the session's server is not valid; enter it again on the Models page", code="not-well-formed"
        ) from None
    read_machine(home).permit(settings)
    return LangChainChat(server.model, settings)


class KeyRing:
    """Hands keys to processes of this user that know a handle."""

    def __init__(self) -> None:
        self._folder = Path(mkdtemp(prefix="fedprompt-"))  # mode 0700
        self.path = str(self._folder / "s")
        self._held: dict[str, SecretStr] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        os.chmod(self.path, 0o600)
        self._socket.listen(8)
        threading.Thread(target=self._serve, daemon=True, name="key ring").start()

    def hold(self, key: SecretStr) -> "HeldKey":
        """Keep a key for as long as what is returned is held."""
        handle = secrets.token_urlsafe(32)
        self._held[handle] = key
        return HeldKey(self, handle)

    def release(self, handle: str) -> None:
        """Forget a key."""
        self._held.pop(handle, None)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                try:
                    client.settimeout(PATIENCE_SECONDS)
                    asked = client.recv(256).decode("ascii", "replace")
                    for handle, key in list(self._held.items()):
                        if hmac.compare_digest(handle.encode(), asked.encode()):
                            client.sendall(key.get_secret_value().encode())
                except OSError:
                    continue

    def close(self) -> None:
        """Forget all keys."""
        self._held.clear()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with suppress(OSError):
            Path(self.path).unlink(missing_ok=True)
            self._folder.rmdir()


class HeldKey:
    """A key that is forgotten with this object: at the latest when the session that holds it has ended."""

    def __init__(self, keys: KeyRing, handle: str) -> None:
        self.ring, self.handle = keys.path, handle
        self._release = weakref.finalize(self, keys.release, handle)

    def release(self) -> None:
        """Forget the key now."""
        self._release()


_rings: list[KeyRing] = []
_lock = threading.Lock()


def ring() -> KeyRing:
    """Return this process's ring, made at first use."""
    with _lock:
        if not _rings:
            _rings.append(KeyRing())
            atexit.register(_rings[0].close)
        return _rings[0]


def _fetch(path: str, handle: str) -> str:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(PATIENCE_SECONDS)
            asking.connect(path)
            asking.sendall(handle.encode())
            asking.shutdown(socket.SHUT_WR)
            found = bytearray()
            while len(found) <= MAX_KEY_BYTES and (part := asking.recv(MAX_KEY_BYTES)):
                found += part
    except OSError:
        raise ModelError(GONE, code="key-gone") from None
    if not found:
        raise ModelError(GONE, code="key-gone")
    return found.decode("utf-8", "replace")
