"""Requests as an attacker writes them: any method, any header, over a socket of its own."""

import socket
from dataclasses import dataclass

__all__ = ["Reply", "ask", "knock"]

Headers = tuple[tuple[str, str], ...]
UPGRADE: Headers = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Protocol", "streamlit"),
)


@dataclass(frozen=True)
class Reply:
    """What came back; ``headers`` by their names in small letters, ``status`` 0 where nothing came."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(port: int, path: str = "/", *headers: tuple[str, str], method: str = "GET", at: str = "127.0.0.1") -> Reply:
    """Send a request with exactly these headers, and read what comes until the server closes."""
    return _sent(port, at, [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)])


def knock(port: int, *headers: tuple[str, str], path: str = "/_stcore/stream", at: str = "127.0.0.1") -> int:
    """Ask for a websocket with exactly these headers; return the status, 101 where it was opened."""
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (*UPGRADE, *headers))]
    return _sent(port, at, lines, upgrade=True).status


def _sent(port: int, at: str, lines: list[str], upgrade: bool = False) -> Reply:
    ends = [] if upgrade else ["Connection: close"]
    found = b""
    with socket.create_connection((at, port), timeout=20) as made:
        made.sendall("\r\n".join([*lines, *ends, "", ""]).encode("latin-1"))
        while piece := made.recv(65_536):
            found += piece
            if found.startswith(b"HTTP/1.1 101"):
                break
    head, _, body = found.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    named = (line.partition(":") for line in rest)
    return Reply(int(first.split()[1]) if first else 0, {name.lower(): value.strip() for name, _, value in named}, body)
