"""The Models page: what is here, what is asked when a person asks, and keys that are shown and kept nowhere."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from app.panels.models.session_models import MOST_SERVERS, Added
from fedprompt.workspace.bills.found_servers import FoundServer
from fedprompt.workspace.bills.session_servers import SessionServer, ring
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import serve, write_models
from tests.pages.messages import messages

Open = Callable[..., AppTest]
KEY = "sk-typed-on-the-page"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


def press(at: AppTest, key: str) -> AppTest:
    """Press the first button whose key begins so."""
    next(button for button in at.button if str(button.key).startswith(key)).click().run()
    assert not at.exception
    return at


def shown(at: AppTest) -> str:
    return " ".join(str(one.value) for one in (*at.markdown, *at.caption, *at.info, *at.warning, *at.error))


def answered(at: AppTest) -> str:
    """Return what is told of a model that answered its test."""
    (told,) = (words for name, words in messages(at).items() if name.endswith("_answers"))
    return told


@pytest.mark.usefixtures("home")
def test_without_anything_it_says_how_to_begin(open_page: Open) -> None:
    at = open_page("models")
    assert any(str(button.key).startswith("models_fetch_") for button in at.button)
    assert not [button for button in at.button if str(button.key).startswith("models_test_")]
    assert list(at.info) == list(at.warning) == []
    assert at.button(key="models_list").disabled and at.text_input(key="models_model").disabled


@pytest.mark.usefixtures("home")
def test_openais_address_without_a_key_says_which_variable_to_set_and_which_line_allows_it(open_page: Open) -> None:
    at = open_page("models")
    at.text_input(key="models_url").set_value("https://api.openai.com/v1").run()
    assert "OPENAI_API_KEY" in messages(at)["models_key_missing"]
    assert "allow" in at.code[-1].value
    assert at.button(key="models_list").disabled


@pytest.mark.usefixtures("home")
def test_a_missing_package_is_told_with_its_command_before_anything_is_asked(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [one for one in open_page("models").button if one.key == "models_install"]
    monkeypatch.setitem(sys.modules, "langchain_openai", None)  # as if it were not installed
    at = open_page("models")
    assert "models_needed" in messages(at)
    assert "langchain-openai" in at.code[0].value and at.button(key="models_install")


def test_a_model_of_this_machine_is_tested_and_tells_its_latency(open_page: Open, ws: Workspace) -> None:
    at = open_page("models")
    at.text_input(key="models_folder").set_value("scripted").run()
    press(at, "models_folder_add")
    press(at, "models_test_")
    assert " s, " in answered(at)
    assert ws.bank.jobs()[0].arguments == {}


@pytest.mark.slow
def test_a_folder_that_is_no_model_says_so(open_page: Open, tmp_path: Path) -> None:
    at = open_page("models")
    at.text_input(key="models_folder").set_value(str(tmp_path / "none")).run()
    press(at, "models_folder_add")
    press(at, "models_test_")
    assert "error_unknown-model" in messages(at)


@pytest.mark.slow
def test_configured_servers_are_tested_or_say_what_keeps_them(open_page: Open, home: Path) -> None:
    with serve() as server:
        more = '[chat.far]\nmodel = "openai:big"\nbase_url = "https://far.example/v1"\nkey_env = "FAR_KEY"'
        write_models(home, server.url, more)
        at = open_page("models")
        assert "models_kept_from_chat:far" in messages(at)
        press(at, "models_test_")
        assert answered(at)
        assert "Is water wet?" in server.sent[-1].text
    press(at, "models_test_")
    assert "error_no-server" in messages(at)


@pytest.mark.slow
def test_a_server_of_this_session_is_listed_added_and_forgotten_with_its_key(
    open_page: Open, home: Path, ws: Workspace
) -> None:
    with serve() as server:
        at = open_page("models")
        at.text_input(key="models_url").set_value(server.url)
        at.text_input(key="models_key").set_value(KEY).run()
        press(at, "models_list")
        assert not at.error and "tiny" in at.pills(key="models_offered").options
        at.pills(key="models_offered").select("tiny").run()
        assert at.text_input(key="models_model").value == "tiny"
        press(at, "models_add")
        assert "tiny at" in shown(at)
        press(at, "models_test_")
        assert f"Bearer {KEY}" in server.sent[-1].headers.values()
        (added,) = at.session_state["models_added"].values()
        press(at, "models_drop_")
    assert added.held.handle not in ring()._held
    assert not any(KEY.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert KEY not in str(ws.bank.jobs()) + str(at.query_params) + shown(at)


@contextmanager
def listing(models: list[str], *, code: int = 200) -> Iterator[str]:
    """Serve a list of models on loopback as Ollama does; return where, as OLLAMA_HOST names it."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            body = json.dumps({"data": [{"id": name} for name in models]}).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def found_at(at: AppTest, where: str) -> FoundServer | None:
    """Return what was found at an address, whatever else answers on this machine."""
    return next((one for one in at.session_state["models_found"] if where in one.base_url), None)


@pytest.mark.usefixtures("home")
def test_a_server_of_this_machine_is_found_and_used_in_this_session(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listing(["tiny", "large"]) as where:
        monkeypatch.setenv("OLLAMA_HOST", where)
        at = press(open_page("models"), "models_look")
        found = found_at(at, where)
        assert found is not None and found.models == ("large", "tiny") and "**Ollama**" in shown(at)
        at.selectbox(key=f"models_found_{found.base_url}").set_value("tiny").run()
        at.button(key=f"models_use_{found.base_url}").click().run()
    assert list(at.session_state["models_added"]) == [f"session:tiny@{where}"]
    assert next(iter(at.session_state["models_added"].values())).held is None


@pytest.mark.usefixtures("home")
def test_a_server_more_than_a_session_holds_is_refused_in_a_sentence_and_one_it_has_is_not(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listing(["tiny"]) as where:
        monkeypatch.setenv("OLLAMA_HOST", where)
        at = press(open_page("models"), "models_look")
        url = f"http://{where}/v1"
        one = Added("tiny", SessionServer(model="openai:tiny", base_url=url), where, False)
        names = [f"session:tiny@{where}", *(f"session:other{number}@{where}" for number in range(MOST_SERVERS - 1))]
        at.session_state["models_added"] = dict.fromkeys(names, one)
        at.button(key=f"models_use_{url}").click().run()
        assert not at.exception and not at.error
        del at.session_state["models_added"][names[0]]
        at.session_state["models_added"]["session:large@elsewhere"] = one
        at.button(key=f"models_use_{url}").click().run()
        assert not at.exception
        assert "error_too-many" in messages(at)
        assert len(at.session_state["models_added"]) == MOST_SERVERS


@pytest.mark.usefixtures("home")
def test_a_models_name_with_a_space_is_refused_in_a_sentence(open_page: Open) -> None:
    at = open_page("models")
    at.text_input(key="models_url").set_value("http://127.0.0.1:9/v1").run()
    at.session_state["models_listed"] = ("http://127.0.0.1:9/v1", ("a b",))
    at.run()
    at.pills(key="models_offered").select("a b").run()
    press(at, "models_add")
    assert "error_not-a-models-id" in messages(at)


@pytest.mark.usefixtures("home")
def test_a_found_server_without_a_model_or_that_wants_a_key_says_so(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listing([]) as where:
        monkeypatch.setenv("OLLAMA_HOST", where)
        assert "models_no_model" in messages(press(open_page("models"), "models_look"))
    with listing([], code=401) as where:
        monkeypatch.setenv("OLLAMA_HOST", where)
        assert "models_wants_key" in messages(press(open_page("models"), "models_look"))


@pytest.mark.usefixtures("home")
def test_where_no_server_answers_it_says_how_to_start_one(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with listing(["tiny"]) as where:
        pass  # nobody listens there any more
    monkeypatch.setenv("OLLAMA_HOST", where)
    at = press(open_page("models"), "models_look")
    assert found_at(at, where) is None
    if not at.session_state["models_found"]:  # else another server of this machine answers on a usual port
        assert "ollama serve" in at.info[0].value


@pytest.mark.usefixtures("home")
def test_a_host_that_is_not_allowed_gets_no_key_and_the_page_says_what_to_write(open_page: Open) -> None:
    at = open_page("models")
    at.text_input(key="models_url").set_value("https://elsewhere.example/v1")
    at.text_input(key="models_key").set_value(KEY).run()
    assert "elsewhere.example" in messages(at)["models_not_allowed"]
    assert at.code[-1].value == 'allow = ["elsewhere.example"]'
    assert at.button(key="models_list").disabled
    assert KEY not in shown(at)


def test_a_key_is_not_in_what_is_printed_of_a_server() -> None:
    held = ring().hold(SecretStr(KEY))
    assert KEY not in repr(held) + repr(vars(held))
    held.release()
