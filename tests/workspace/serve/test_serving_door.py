"""``fedprompt serve``, attacked over sockets: foreign names and pages, and clients that only hold a connection."""

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fedprompt.errors import FedPromptError
from fedprompt.workspace.door.patience import MOST_WAITING, patient_protocol
from fedprompt.workspace.serve.serving import serving, token_of
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.workspace.raw_http import ask
from tests.workspace.served import MOOD, home, token, urls, ws

__all__ = ["home", "token", "urls", "ws"]
pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def port(urls: dict[str, str]) -> int:
    return urlsplit(urls[MOOD]).port or 0


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/v1/completions", "/", "/docs"])
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example:{port}", None),
        ("evil.example:{port}", "http://evil.example:{port}"),
        ("127.0.0.1:1", None),
        ("127.0.0.1:{port}", "http://127.0.0.1:9999"),
        ("127.0.0.1:{port}", "null"),
    ],
)
def test_no_route_answers_a_foreign_name_or_page_even_with_the_token(
    port: int, token: str, path: str, host: str, origin: str | None
) -> None:
    headers = [("Host", host.format(port=port)), ("Authorization", f"Bearer {token}")]
    if origin is not None:
        headers.append(("Origin", origin.format(port=port)))
    reply = ask(port, path, *headers)
    assert (reply.status, reply.headers["content-type"]) == (403, "application/json")
    assert b'"type": "invalid_request_error"' in reply.body and b'"code": "forbidden"' in reply.body
    assert token.encode() not in reply.body


def test_its_own_names_are_answered_with_the_token_and_refused_without(port: int, token: str) -> None:
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert ask(port, "/v1/models", ("Host", host), ("Authorization", f"Bearer {token}")).status == 200
        assert ask(port, "/v1/models", ("Host", host)).status == 401


def test_a_proxys_name_is_answered_once_it_is_named(home: Path, ws: Workspace) -> None:
    kept = token_of(home)
    with serving(MOOD, kept, home, port=0, origins=["https://api.example.org"]) as served:
        port = urlsplit(served.url).port or 0
        given = ("Authorization", f"Bearer {kept.text}")
        assert ask(port, "/v1/models", ("Host", "api.example.org"), given).status == 200
        assert ask(port, "/v1/models", ("Host", "other.example.org"), given).status == 403
    with (
        pytest.raises(FedPromptError, check=coded("not-an-address")),
        serving(MOOD, kept, home, origins=["x"]),
    ):
        pass


def test_half_open_requests_give_way_and_others_are_answered(port: int, token: str) -> None:
    held = []
    own = (("Host", f"127.0.0.1:{port}"), ("Authorization", f"Bearer {token}"))
    try:
        for number in range(400):
            made = socket.create_connection(("127.0.0.1", port), timeout=20)
            # A head that never ends, nothing at all, and a body that nobody with the token waits for.
            ends = (b"GET / HTTP/1.1\r\nHost: x\r\n", b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            made.sendall(ends[number % 3])
            held.append(made)
        for _ in range(20):
            assert ask(port, "/v1/models", *own).status == 200
        assert len(patient_protocol().waiting) <= MOST_WAITING  # type: ignore[attr-defined]
    finally:
        for made in held:
            made.close()


def test_a_head_that_trickles_in_ends_at_its_time(home: Path, ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedprompt.workspace.door.patience.HEAD_SECONDS", 0.5)
    with (
        serving(MOOD, token_of(home), home, port=0) as served,
        socket.create_connection(("127.0.0.1", urlsplit(served.url).port or 0), timeout=20) as made,
        pytest.raises(OSError),  # reset, while it still sends
    ):
        for _ in range(1200):
            made.sendall(b"G")
            time.sleep(0.05)
