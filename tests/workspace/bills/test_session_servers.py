"""Keys of a session: handed over by a handle, forgotten with their holder; and servers that are found on loopback."""

import gc
import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from fedprompt.errors import ModelError
from fedprompt.workspace.bills.found_servers import (
    FoundServer,
    configured_servers,
    find_on_loopback,
    models_of,
    settings_of,
)
from fedprompt.workspace.bills.session_servers import KeyRing, SessionServer, load_session_chat
from tests.coded import coded

KEY = "sk-of-one-session"


@contextmanager
def listing(models: object, *, key: str | None = None, to: str | None = None) -> Iterator[int]:
    """Serve a list of models on a free port; with ``to``, send everybody there instead."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            if to is not None:
                self.send_response(302)
                self.send_header("Location", to)
                self.end_headers()
                return
            self.send_response(200 if key is None or self.headers["Authorization"] == f"Bearer {key}" else 401)
            self.end_headers()
            self.wfile.write(json.dumps(models).encode())

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


MODELS = {"data": [{"id": "b"}, {"id": "a"}, {"id": "has space"}, {"no": 1}, "x"]}


@pytest.mark.slow  # the provider's package takes seconds to import
def test_a_key_is_fetched_with_its_handle_and_not_without(tmp_path: Path) -> None:
    ring = KeyRing()
    held = ring.hold(SecretStr(KEY))
    one = SessionServer(model="openai:m", base_url="http://127.0.0.1:9/v1", ring=held.ring, handle=held.handle)
    with load_session_chat(one, tmp_path) as chat:
        assert chat.settings.secret() == SecretStr(KEY)
    with pytest.raises(ModelError, check=coded("key-gone")):
        load_session_chat(one.model_copy(update={"handle": "x" * 43}), tmp_path)
    assert stat.S_IMODE(Path(held.ring).stat().st_mode) == 0o600
    ring.close()
    with pytest.raises(ModelError, check=coded("key-gone")):
        load_session_chat(one, tmp_path)
    assert KEY not in repr(one) + repr(held)


@pytest.mark.slow  # the provider's package takes seconds to import
def test_a_key_goes_with_whoever_holds_it(tmp_path: Path) -> None:
    ring = KeyRing()
    held = ring.hold(SecretStr(KEY))
    one = SessionServer(model="openai:m", base_url="http://127.0.0.1:9/v1", ring=held.ring, handle=held.handle)
    del held
    gc.collect()
    with pytest.raises(ModelError, check=coded("key-gone")):
        load_session_chat(one, tmp_path)
    ring.close()


def test_a_host_elsewhere_is_asked_only_where_the_machine_allows_it(tmp_path: Path) -> None:
    far = SessionServer(model="openai:m", base_url="https://far.example/v1")
    with pytest.raises(ModelError, check=coded("may-not-be-sent")):
        load_session_chat(far, tmp_path)
    with pytest.raises(ModelError, check=coded("may-not-be-sent")):
        models_of(tmp_path, "https://far.example/v1", SecretStr(KEY))
    for wrong in ("ftp://127.0.0.1/v1", "http://user:pw@127.0.0.1/v1", "nonsense"):
        with pytest.raises(ModelError):
            settings_of(tmp_path, wrong, "m", None)


def test_servers_are_found_on_loopback_and_those_that_want_a_key_say_so() -> None:
    with listing(MODELS) as port, listing(MODELS, key=KEY) as locked, listing({"odd": 1}) as odd:
        found = find_on_loopback({port: "Ollama", locked: "vLLM", odd: "other", 1: "nobody"})
    assert found == (
        FoundServer("Ollama", f"http://127.0.0.1:{port}/v1", ("a", "b"), False),
        FoundServer("vLLM", f"http://127.0.0.1:{locked}/v1", (), True),
    )


def test_a_list_of_models_needs_the_right_key_and_follows_nobody(tmp_path: Path) -> None:
    with listing(MODELS, key=KEY) as port, listing(MODELS, to=f"http://127.0.0.1:{port}/v1/models") as turning:
        url = f"http://127.0.0.1:{port}/v1"
        assert models_of(tmp_path, url, SecretStr(KEY)) == ("a", "b")
        with pytest.raises(ModelError, check=coded("key-refused")):
            models_of(tmp_path, url, SecretStr("sk-wrong"))
        with pytest.raises(ModelError, match="302", check=coded("no-list-of-models")):
            models_of(tmp_path, f"http://127.0.0.1:{turning}/v1", SecretStr(KEY))
    with pytest.raises(ModelError, check=coded("no-server")):
        models_of(tmp_path, url, None)


def test_ollama_s_own_variable_is_followed_to_loopback_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with listing(MODELS) as port:
        monkeypatch.setenv("OLLAMA_HOST", f"localhost:{port}")
        assert [one.title for one in find_on_loopback({1: "nobody"})] == ["Ollama"]
    monkeypatch.setenv("OLLAMA_HOST", "192.0.2.7:11434")
    assert find_on_loopback({1: "nobody"}) == ()


def test_configured_servers_say_what_keeps_them_from_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = tmp_path / "models.toml"
    path.write_text(
        'allow = ["api.openai.com"]\n[chat.near]\nmodel = "openai:m"\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[chat.own]\nmodel = "openai:gpt"\n[chat.far]\nmodel = "openai:m"\nbase_url = "https://far.example/v1"\n'
    )
    path.chmod(0o600)
    found = {one.name: one.problem or "" for one in configured_servers(tmp_path)}
    assert found["chat:near"] == ""
    assert "set OPENAI_API_KEY" in found["chat:own"]
    assert "allow = " in found["chat:far"]
