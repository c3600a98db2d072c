"""Framed bytes between two processes of one owner on one machine: a header as JSON, then a body as it is.

The socket is a file in a folder of mode 0700. One connection is one question and its answer.
"""

import json
import logging
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError

__all__ = ["LinkDown", "LinkServer", "ask"]

MAX_HEADER = 4 * 1024 * 1024
MAX_BODY = 128 * 1024 * 1024
Header = Mapping[str, Any]
Handler = Callable[[Header, bytes], tuple[Header, bytes]]
log = logging.getLogger(__name__)


class LinkDown(FederationError):
    """Nobody listens at the socket, or whoever did went away before it answered."""

    code = "link-down"


def ask(path: str | Path, header: Header, body: bytes = b"", *, timeout: float) -> tuple[dict[str, Any], bytes]:
    """Ask whoever listens at ``path`` and return the header and body of the answer.

    Raises:
        LinkDown: nobody listens, or no answer came in time.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.connect(str(path))
            with Connection(os.dup(raw.fileno())) as connection:
                connection.send_bytes(json.dumps(dict(header)).encode())
                connection.send_bytes(body)
                if not connection.poll(timeout):
                    raise LinkDown(f"{path}: no answer within {timeout:.0f} s", code="no-answer-in-time")
                found = json.loads(connection.recv_bytes(MAX_HEADER))
                return found, connection.recv_bytes(MAX_BODY)
    except (OSError, EOFError, ValueError) as error:
        raise LinkDown(f"{path}: no process answers ({type(error).__name__})") from error


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    handler: Handler


class _Request(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        try:
            with Connection(os.dup(self.request.fileno())) as connection:
                header = json.loads(connection.recv_bytes(MAX_HEADER))
                answer, body = server.handler(header, connection.recv_bytes(MAX_BODY))
                connection.send_bytes(json.dumps(dict(answer)).encode())
                connection.send_bytes(body)
        except (OSError, EOFError, ValueError) as error:
            log.warning("a question on the local socket was not understood or its asker went away: %s", error)
        except Exception:  # the asker hears that nobody answers, and the log why
            log.exception("a question on the local socket could not be answered")


class LinkServer:
    """Answers at a socket file, a thread for each question; a context manager."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        self._server = _Server(str(path), _Request)
        path.chmod(0o600)
        self._server.handler = handler
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> "LinkServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
