"""The app's server, attacked over sockets: foreign hosts, foreign pages, and browsers that were never let in."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fedprompt.workspace.door.entry_token import Entry, entry_of
from fedprompt.workspace.home import Home
from tests.pages.visitors import AUTH
from tests.workspace.raw_http import ask, knock

pytestmark = pytest.mark.whole
ROOT = Path(__file__).parents[2]
PROXY = "https://prompts.example.org"
ROUTES = (
    ("GET", "/"),
    ("GET", "/bank?p=1"),
    ("GET", "/_stcore/health"),
    ("GET", "/_stcore/host-config"),
    ("GET", "/_stcore/metrics"),
    ("OPTIONS", "/_stcore/health"),
    ("PUT", "/_stcore/upload_file/a/b"),
    ("DELETE", "/_stcore/upload_file/a/b"),
    ("OPTIONS", "/_stcore/upload_file/a/b"),
    ("POST", "/_stcore/agent/interact"),
    ("POST", "/_stcore/agent/mcp"),
    ("GET", "/media/a.csv"),
    ("GET", "/component/a/b"),
    ("GET", "/app/static/a"),
    ("GET", "/static/index.html"),
    ("GET", "/auth/login"),
    ("GET", "/auth/logout"),
    ("GET", "/oauth2callback"),
)


@dataclass(frozen=True)
class Served:
    """A running server; ``cookie`` lets in."""

    port: int
    entry: Entry
    log: Path

    @property
    def host(self) -> tuple[str, str]:
        return ("Host", f"127.0.0.1:{self.port}")

    @property
    def cookie(self) -> tuple[str, str]:
        return ("Cookie", f"{self.entry.cookie}={self.entry.value}")

    @property
    def own(self) -> tuple[str, str]:
        return ("Origin", f"http://127.0.0.1:{self.port}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with server(tmp_path_factory.mktemp("door")) as found:
        yield found


@contextmanager
def server(home: Path, *options: str, module: str = "app.server") -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", module, "run", "app/main.py", "--server.port", str(port), *options]
    environment = {
        **os.environ,
        "FEDPROMPT_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "FEDPROMPT_ORIGINS": PROXY,
        "PYTHONUNBUFFERED": "1",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert process.poll() is None, (home / "log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Served(port, entry_of(Home(home), port), home / "log")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example:{port}", "http://evil.example:{port}"),  # a name that was led here
        ("evil.example:{port}", None),
        ("127.0.0.1:{port}", "http://127.0.0.1:9999"),
        ("127.0.0.1:{port}", "http://evil.example:{port}"),
        ("127.0.0.1:{port}", "https://127.0.0.1:{port}"),
        ("127.0.0.1:{port}", "http://localhost:{port}"),
        ("127.0.0.1:{port}", "null"),
        ("127.0.0.1:{port}", None),
        ("127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("prompts.example.org", "http://prompts.example.org"),
    ],
)
def test_no_websocket_opens_for_a_foreign_page_or_under_a_foreign_name_even_with_the_cookie(
    served: Served, host: str, origin: str | None
) -> None:
    headers = [("Host", host.format(port=served.port)), served.cookie]
    if origin is not None:
        headers.append(("Origin", origin.format(port=served.port)))
    assert knock(served.port, *headers) == 403


def test_a_websocket_opens_for_our_own_page_with_the_cookie_and_for_no_other(served: Served) -> None:
    assert knock(served.port, served.host, served.own, served.cookie) == 101
    local = f"localhost:{served.port}"
    assert knock(served.port, ("Host", local), ("Origin", f"http://{local}"), served.cookie) == 101
    for host in ("prompts.example.org", f"127.0.0.1:{served.port}"):  # a proxy may write either
        assert knock(served.port, ("Host", host), ("Origin", PROXY), served.cookie) == 101
    assert knock(served.port, served.host, served.own) == 403
    assert knock(served.port, served.host, served.own, ("Cookie", f"{served.entry.cookie}=x")) == 403
    assert knock(served.port, served.host, served.own, served.own, served.cookie) in (400, 403)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_looks_at_host_and_origin_before_anything_else(served: Served, method: str, path: str) -> None:
    foreign = (
        (("Host", f"evil.example:{served.port}"), served.cookie),
        (served.host, ("Origin", "http://127.0.0.1:9999"), served.cookie),
        (served.host, ("Origin", "null"), served.cookie),
        (served.host, ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "no-cors"), served.cookie),
        (served.host, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "iframe"), served.cookie),
    )
    for headers in foreign:
        reply = ask(served.port, path, *headers, method=method)
        assert reply.status == 403, headers
        assert b"fedprompt: " in reply.body
        assert "access-control-allow-origin" not in reply.headers and "set-cookie" not in reply.headers


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if not one[1].endswith("health")])
def test_every_route_but_the_health_of_the_server_needs_the_cookie(served: Served, method: str, path: str) -> None:
    assert ask(served.port, path, served.host, method=method).status == 403
    assert ask(served.port, path, served.host, served.cookie, method=method).status != 403 or method in (
        "PUT",  # which need Streamlit's own word against forgery besides
        "DELETE",
        "POST",
    )


def test_the_health_of_the_server_is_told_without_the_cookie(served: Served) -> None:
    reply = ask(served.port, "/_stcore/health", served.host)
    assert (reply.status, reply.body) == (200, b"ok")


def test_an_upload_needs_streamlits_word_against_forgery_besides_the_cookie(served: Served) -> None:
    path = "/_stcore/upload_file/a/b"
    reply = ask(served.port, path, served.host, served.own, served.cookie, method="PUT")
    assert (reply.status, b"XSRF" in reply.body) == (403, True)


def test_where_people_sign_in_nobody_sends_a_file_before(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    lines = [f'{name} = "{value}"' for name, value in AUTH.items()]
    secrets.write_text("\n".join(["[auth]", *lines, ""]))
    secrets.chmod(0o600)
    path = "/_stcore/upload_file/a/b"
    with server(tmp_path, "--secrets.files", str(secrets)) as found:
        word = ask(found.port, "/_stcore/health", found.host).headers["set-cookie"].split(";")[0]
        signed = ("X-Xsrftoken", word.partition("=")[2])
        stranger = ask(found.port, path, found.host, signed, ("Cookie", word), method="PUT")
        assert (stranger.status, b"sign in before" in stranger.body) == (403, True)
        forged = ("Cookie", f"{word}; _streamlit_user=x|y|z")
        assert ask(found.port, path, found.host, signed, forged, method="PUT").status == 403
        # Nobody needs a token here: the page is served, and asks to sign in.
        assert ask(found.port, "/", found.host).status == 200
        assert knock(found.port, found.host, ("Origin", "https://prompts.example.org")) == 101
        assert knock(found.port, found.host, ("Origin", "https://other.example.org")) == 403


def test_a_server_that_was_started_past_the_doorway_shows_no_page(tmp_path: Path) -> None:
    from benchmarks.visitor import connected

    async def opened(port: int) -> list[str]:
        visitor = await connected(f"http://127.0.0.1:{port}", "a=b")
        await visitor.open("", "")
        await visitor.socket.close()
        return visitor.errors

    with server(tmp_path, module="streamlit") as found:
        (error,) = asyncio.run(opened(found.port))
    assert "fedprompt ui" in error
    assert not (tmp_path / "bank.db").exists()


def test_the_token_is_taken_out_of_the_address_and_kept_as_a_cookie(served: Served) -> None:
    reply = ask(served.port, f"/bank?p=a%20b&token={served.entry.token}&q=c", served.host)
    assert (reply.status, reply.headers["location"]) == (303, "/bank?p=a%20b&q=c")
    kept = reply.headers["set-cookie"].split("; ")
    assert kept[0] == f"{served.entry.cookie}={served.entry.value}"
    assert {"HttpOnly", "SameSite=Strict"} <= set(kept)
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "///evil.example", "/%2F/evil.example/"])
def test_the_way_without_the_token_leads_to_no_other_server(served: Served, path: str) -> None:
    reply = ask(served.port, f"{path}?token={served.entry.token}", served.host)
    assert reply.status == 303
    assert reply.headers["location"][0] == "/" and reply.headers["location"][1:2] not in ("/", "\\")


def test_a_wrong_token_opens_nothing_and_is_repeated_nowhere(served: Served) -> None:
    for visit in ((), (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "none"))):
        reply = ask(served.port, "/?token=x9x9x9x9", served.host, *visit)
        assert reply.status == 403
        assert b"x9x9" not in reply.body and "set-cookie" not in reply.headers


def test_a_browser_without_the_cookie_is_told_where_the_address_is(served: Served) -> None:
    reply = ask(served.port, "/", served.host, ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "none"))
    assert reply.status == 403
    assert b'name="token" type="password"' in reply.body and b"ui.token" in reply.body


def test_a_link_from_another_site_is_followed_by_our_own_page_which_has_the_strict_cookie(served: Served) -> None:
    link = (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"))
    reply = ask(served.port, '/bank?p=1&q="<b>', served.host, *link)
    assert reply.status == 200
    assert b'content="0;url=/bank?p=1&amp;q=&quot;&lt;b&gt;"' in reply.body
    assert ask(served.port, "/auth/logout", served.host, served.cookie, *link).status == 403


def test_every_answer_forbids_frames_guessing_and_foreign_readers(served: Served) -> None:
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/media/none", "/static/none.js"):
        for headers in ((served.cookie,), (served.cookie, served.own), ()):
            reply = ask(served.port, path, served.host, *headers)
            assert reply.headers["x-frame-options"] == "DENY"
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "same-origin"
            assert "access-control-allow-origin" not in reply.headers
    policy = ask(served.port, "/", served.host, served.cookie).headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "default-src 'self'" in policy


def test_the_token_and_the_cookie_are_in_no_log_of_the_server(served: Served) -> None:
    ask(served.port, f"/?token={served.entry.token}", served.host)
    said = served.log.read_text()
    assert served.entry.token not in said and served.entry.value not in said


def test_connections_that_only_wait_keep_nobody_from_the_app(served: Served) -> None:
    held = []
    try:
        for number in range(400):
            made = socket.create_connection(("127.0.0.1", served.port), timeout=20)
            made.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n"[: number % 24])
            held.append(made)
        assert ask(served.port, "/_stcore/health", served.host).status == 200
        assert knock(served.port, served.host, served.own, served.cookie) == 101
    finally:
        for made in held:
            made.close()
