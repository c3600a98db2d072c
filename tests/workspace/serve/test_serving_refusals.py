"""Whoever has no token, or asks for what is not done, is refused; nothing of a request is told, and the server ends."""

import asyncio
import logging
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from fedprompt.cli.main import main
from fedprompt.errors import BankError, FedPromptError, PromptError
from fedprompt.extras import pip_command
from fedprompt.models.scripted import ScriptedModel
from fedprompt.workspace.answers.answering import local_prompt
from fedprompt.workspace.serve.app import MOST_BYTES, make_app
from fedprompt.workspace.serve.opened import BankPrompt
from fedprompt.workspace.serve.serving import serving, token_of
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.workspace import served
from tests.workspace.served import ASK, BOTH, MOOD, TEXT, WRITTEN
from tests.workspace.tagged_prompt import record

pytestmark = pytest.mark.whole

pytest.importorskip("fastapi")

ROOT = Path(__file__).parents[3]
home, ws, token, urls, post = served.home, served.ws, served.token, served.urls, served.post


@pytest.mark.parametrize("text", ["a good day", "[]", '{"title": "x"}', '{"title": "x", "text": 1}', "{" * 5000])
def test_anything_else_for_several_fields_is_refused_and_not_quoted(post: Any, text: str) -> None:
    reply = post(BOTH, messages=[{"role": "user", "content": text}])
    error = reply.json()["error"]
    assert (reply.status_code, error["type"], error["param"]) == (400, "invalid_request_error", "messages")
    assert error["message"] == "this prompt has the fields title, text; send a JSON object with a text for each"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"temperature": 0.7}, "temperature"),
        ({"n": 2}, "n"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"messages": [{"role": "system", "content": "Be kind."}, *ASK]}, "messages.0.content"),
        ({"messages": [{"role": "system", "content": "Be kind."}]}, "messages.0.content"),
        ({"messages": [{"role": "assistant", "content": "Hello."}, *ASK]}, "messages.0"),
        ({"messages": [*ASK, *ASK]}, "messages"),
        ({"messages": []}, "messages"),
        ({"stop": 7}, "stop"),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(post: Any, more: dict[str, Any], param: str) -> None:
    reply = post(**{"messages": ASK, **more})
    error = reply.json()["error"]
    assert (reply.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert "Be kind" not in error["message"]


def test_likelihoods_of_free_text_are_refused(post: Any) -> None:
    for path, body in (("/completions", {"prompt": TEXT, "logprobs": 0}), ("/chat/completions", {"messages": ASK})):
        asked = {"logprobs": True, **body}
        assert post(WRITTEN, path, **asked).json()["error"]["param"] == "logprobs"


def test_another_models_name_and_another_path_are_not_found(post: Any) -> None:
    reply = post(messages=ASK, model="gpt-5")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
    reply = post(path="/embeddings", input=TEXT)
    assert reply.status_code == 404
    assert "/v1/chat/completions" in reply.json()["error"]["message"]


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer wrong", "Basic {}", "Bearer {}x", "{}", "Bearer é"])
def test_without_the_token_nobody_is_answered(urls: dict[str, str], token: str, key: str) -> None:
    headers = {"Authorization": key.format(token).encode()} if key else {}
    body = {"model": MOOD, "messages": ASK}
    with httpx.Client(headers=headers, timeout=20, trust_env=False) as client:
        for reply in (client.get(urls[MOOD] + "/models"), client.post(urls[MOOD] + "/chat/completions", json=body)):
            assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
            assert token not in reply.text


def test_a_body_is_bounded_before_it_is_parsed(urls: dict[str, str], token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    pieces = [b'{"model": "', *[b"x" * 65_536] * (MOST_BYTES // 65_536 + 1)]
    with httpx.Client(headers=headers, timeout=20, trust_env=False) as client:
        path = urls[MOOD] + "/completions"
        assert client.post(path, content=b"x" * (MOST_BYTES + 1)).status_code == 413
        assert client.post(path, content=iter(pieces)).status_code == 413
        for broken in (b"", b"{", b"[" * 100_000, b'{"model": "\xff"}', b"NaN"):
            reply = client.post(path, content=broken)
            assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_case_longer_than_the_models_window_is_refused_in_a_sentence(post: Any) -> None:
    reply = post(messages=[{"role": "user", "content": "word " * 9000}])
    assert reply.status_code == 400
    assert "shorten the text" in reply.json()["error"]["message"]


def test_no_word_of_a_request_is_logged(post: Any, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "Zebulon77"
    post(messages=[{"role": "user", "content": secret}])
    post(path="/completions", prompt=secret, logit_bias={secret: 1})
    post(BOTH, messages=[{"role": "user", "content": secret}])
    post(**{secret: secret})
    assert secret not in caplog.text
    assert secret not in "".join(capfd.readouterr())


def test_the_token_is_made_once_private_and_damage_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first, second = token_of(home), token_of(home)
    assert (first.new, second.new, first.text) == (True, False, second.text)
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert first.text not in repr(first)
    first.path.chmod(0o644)
    with pytest.raises(FedPromptError, check=coded("others-can-read")):
        token_of(home)
    for damage in ("", "short", "two words are no token at all", "x" * 600):
        first.path.write_text(damage)
        first.path.chmod(0o600)
        with pytest.raises(FedPromptError, check=coded("no-token")):
            token_of(home)
    with pytest.raises(FedPromptError, check=coded("cannot-read")):
        token_of(home, tmp_path / "nowhere" / "token")


def test_what_cannot_be_served_is_said_before_a_socket_is_bound(ws: Workspace, home: Path, tmp_path: Path) -> None:
    kept = token_of(home)
    with (
        pytest.raises(BankError, match="'other@production'", check=coded("no-such-tag")),
        serving("other@production", kept, home),
    ):
        pass
    record(ws, "fixed@production", "Say something:")
    with (
        pytest.raises(PromptError, check=coded("no-field")),
        serving("fixed@production", kept, home),
    ):
        pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FedPromptError, check=coded("port-taken")), serving(MOOD, kept, home, port=port):
            pass


def test_the_server_ends_with_its_block(ws: Workspace, home: Path) -> None:
    kept = token_of(home)
    with serving(MOOD, kept, home, port=0) as served:
        assert served.alive
        assert served.url.startswith("http://127.0.0.1:")
        url = served.url
    assert not served.alive
    assert not [one for one in threading.enumerate() if one is served._thread]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url + "/models", trust_env=False)


BLOCKED = """
import json, sys, urllib.request
from pathlib import Path

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"streamlit", "faiss", "nvflare"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
from fedprompt.cli.main import main
from fedprompt.workspace.serve.serving import serving, token_of
home = Path(sys.argv[1])
token = token_of(home)
with serving("mood@production", token, home, port=0) as served:
    body = {"model": "mood@production", "messages": [{"role": "user", "content": "a good day"}]}
    headers = {"Authorization": f"Bearer {token.text}", "Content-Type": "application/json"}
    request = urllib.request.Request(served.url + "/chat/completions", json.dumps(body).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    print(json.load(opener.open(request, timeout=20))["choices"][0]["message"]["content"])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_serving_imports_neither_streamlit_nor_faiss_nor_nvflare_nor_torch_for_the_fake(
    ws: Workspace, home: Path
) -> None:
    command = [sys.executable, "-c", BLOCKED, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    label, modules = done.stdout.splitlines()
    assert label == local_prompt(ws, MOOD).run({"text": TEXT}).text
    assert not set(modules.split()) & {"torch", "streamlit", "faiss", "nvflare", "sentence_transformers", "pyarrow"}


def test_a_missing_package_names_the_pip_command(home: Path, ws: Workspace, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with (
        pytest.raises(FedPromptError, match=re.escape(pip_command("serve")), check=coded("package-missing")),
        serving(MOOD, token_of(home), home, port=0),
    ):
        pass


def test_the_command_tells_a_new_token_once_serves_and_ends_when_asked_to(
    ws: Workspace, home: Path, capsys: Any
) -> None:
    path = home / "another.token"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    statuses: list[int] = []

    def ask_and_end() -> None:
        try:
            for _ in range(200):
                try:
                    headers = {"Authorization": f"Bearer {path.read_text().strip()}"}
                    reply = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=headers, trust_env=False)
                    statuses.append(reply.status_code)
                    return
                except (httpx.ConnectError, FileNotFoundError):
                    time.sleep(0.05)
        finally:
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGTERM)

    for new in (True, False):
        other = threading.Thread(target=ask_and_end)
        other.start()
        words = ["serve", MOOD, "--port", str(port), "--token-file", str(path), "--home", str(home)]
        assert main(words) == 0
        other.join()
        said = capsys.readouterr().out
        assert f"http://127.0.0.1:{port}/v1" in said
        assert (path.read_text().strip() in said) == new
    assert statuses == [200, 200]


class _Quoting:
    """A model that fails with the text that it was asked."""

    info = ScriptedModel().info

    def choices(self, queries: Any) -> Any:
        raise ValueError(queries[0].rendered.text())


def test_a_failure_nobody_thought_of_is_told_by_its_kind_alone(ws: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "fedprompt")
    prompt = BankPrompt(replace(local_prompt(ws, MOOD), model=cast(Any, _Quoting())))
    app = make_app(prompt, MOOD, "t" * 20)

    async def ask() -> httpx.Response:
        headers = {"Authorization": "Bearer " + "t" * 20}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
            return await client.post("/v1/completions", json={"model": MOOD, "prompt": "Zebulon77"})

    reply = asyncio.run(ask())
    assert (reply.status_code, reply.json()["error"]["type"]) == (500, "server_error")
    assert "failed with ValueError" in caplog.text
    assert "Zebulon77" not in caplog.text + reply.text


def test_another_host_needs_a_token_file(home: Path) -> None:
    assert main(["serve", MOOD, "--host", "0.0.0.0", "--home", str(home)]) == 2
