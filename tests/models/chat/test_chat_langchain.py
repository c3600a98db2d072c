"""The real client against a real server on this machine: what is sent, what fails and how that is told."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.errors import ModelError
from fedprompt.models.chat.choice import find_method
from fedprompt.models.chat.judge import load_judge
from fedprompt.models.chat.protocol import ChatReply, ChatTurn, Options, turns
from fedprompt.models.chat.through_langchain import LangChainChat, load_chat
from fedprompt.prompts.rendered import SOFT, Rendered, Turn
from tests.chat_server import KEY, ChatServer, serve, write_models
from tests.coded import coded

pytestmark = pytest.mark.whole

SECRET_TEXT = "xylophone-case"


def conversations(count: int) -> list[tuple[ChatTurn, ...]]:
    return [(ChatTurn("user", f"{SECRET_TEXT} {n} was good"),) for n in range(count)]


def model(home: Path, server: ChatServer, more: str = "") -> LangChainChat:
    write_models(home, server.url, more)
    return load_chat("chat:local", home)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as state:
        yield state


def test_answers_come_in_order_with_tokens_and_first_tokens(tmp_path: Path, server: ChatServer) -> None:
    server.answer = lambda body: body["messages"][-1]["content"].split()[1]
    told: list[tuple[int, int]] = []
    with model(tmp_path, server) as chat:
        found = chat.ask(conversations(12), Options(max_tokens=5, top=3), lambda *done: told.append(done))
    assert [reply.text for reply in found] == [str(n) for n in range(12)]
    assert found[0].usage is not None and (found[0].usage.input, found[0].usage.output) == (4, 1)
    assert found[0].first is not None and len(found[0].first) == 3
    assert told == [(n + 1, 12) for n in range(12)]


def test_messages_and_settings_are_sent_as_they_are(tmp_path: Path, server: ChatServer) -> None:
    rendered = Rendered((Turn("system", ("be brief",)), Turn("user", ("hello",)), Turn("assistant", ("so",))))
    options = Options(max_tokens=7, stop=("\n\n", "END"), temperature=0.5, top_p=0.9, seed=3)
    with model(tmp_path, server) as chat:
        chat.ask([turns(rendered)], options)
    body = server.sent[0].body
    assert [(m["role"], m["content"]) for m in body["messages"]] == [
        ("system", "be brief"),
        ("user", "hello"),
        ("assistant", "so"),
    ]
    assert body["max_completion_tokens"] == body["max_tokens"] == 7
    assert (body["stop"], body["temperature"], body["top_p"], body["seed"]) == (["\n\n", "END"], 0.5, 0.9, 3)
    assert "logprobs" not in body and "response_format" not in body and not body["stream"]


def test_what_a_server_does_not_take_can_be_left_out(tmp_path: Path, server: ChatServer) -> None:
    with model(tmp_path, server, 'leave_out = ["temperature", "stop", "max_tokens", "seed", "top_p"]') as chat:
        chat.ask(conversations(1), Options(stop=("x",), temperature=1.0, top_p=0.5))
    assert set(server.sent[0].body) == {"messages", "model", "stream"}


def test_a_bare_text_is_one_message_and_a_soft_slot_is_refused() -> None:
    assert turns(Rendered((Turn(None, ("a text",)),))) == (ChatTurn("user", "a text"),)
    with pytest.raises(ModelError, check=coded("words-only")):
        turns(Rendered((Turn(None, ("a", SOFT)),)))


def test_text_ends_at_a_stop_string_that_the_server_ran_past(tmp_path: Path, server: ChatServer) -> None:
    server.answer = lambda body: "one\n\ntwo"
    with model(tmp_path, server) as chat:
        assert chat.ask(conversations(1), Options(stop=("\n\n",)))[0].text == "one"


def test_no_more_calls_run_at_once_than_allowed(tmp_path: Path, server: ChatServer) -> None:
    server.pause = 0.03
    with model(tmp_path, server, "concurrency = 3") as chat:
        chat.ask(conversations(13), Options())
    assert server.most_at_once == 3


def test_calls_keep_to_the_rate(tmp_path: Path, server: ChatServer) -> None:
    with model(tmp_path, server, "requests_per_second = 20\nconcurrency = 8") as chat:
        chat.ask(conversations(9), Options())
    # A burst of two, then one each twentieth of a second.
    assert server.times[-1] - server.times[0] > 5 / 20


def test_a_call_is_tried_again_and_then_answered(tmp_path: Path, server: ChatServer) -> None:
    server.trouble = lambda number, body: {1: 429, 2: 503}.get(number)
    with model(tmp_path, server, "retries = 2") as chat:
        (found,) = chat.ask(conversations(1), Options())
    assert found.failure is None and len(server.sent) == 3


TROUBLES: dict[object, str | None] = {
    "none": None,
    429: "rate limit",
    503: "server error",
    400: "request refused",
    "slow": "timeout",
    "html": "malformed answer",
    "no choices": "malformed answer",
    "null": "malformed answer",
    "filtered": "answer withheld",
    "cut": "no connection",
    "redirect": "request refused",
    "fine": None,
}


def test_a_call_that_fails_for_good_is_one_case_with_a_reason(tmp_path: Path, server: ChatServer) -> None:
    troubles = list(TROUBLES)
    server.trouble = lambda number, body: troubles[int(body["messages"][-1]["content"].split()[1])]
    server.elsewhere = "http://127.0.0.1:9/v1"
    with model(tmp_path, server, "retries = 0\ntimeout = 0.5\nconcurrency = 8") as chat:
        found = chat.ask(conversations(len(troubles)), Options())
    assert [reply.failure for reply in found] == list(TROUBLES.values())
    assert all(reply == ChatReply("", failure=reply.failure) for reply in found if reply.failure)


@pytest.mark.parametrize(("status", "code"), [(401, "key-refused"), (403, "key-refused"), (404, "unknown-model")])
def test_what_no_call_can_get_past_ends_the_run_at_the_first(
    tmp_path: Path, server: ChatServer, status: int, code: str
) -> None:
    server.trouble = lambda number, body: status
    with model(tmp_path, server, f'key = "{KEY}"') as chat, pytest.raises(ModelError, check=coded(code)) as caught:
        chat.ask(conversations(50), Options())
    assert len(server.sent) == 1
    assert not any(word in str(caught.value) for word in (KEY, SECRET_TEXT, server.url, "127.0.0.1"))
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    write_models(tmp_path, "http://127.0.0.1:9/v1", "retries = 0")
    with load_chat("chat:local", tmp_path) as chat, pytest.raises(ModelError, check=coded("no-server")):
        chat.ask(conversations(2), Options())


def test_whoever_stops_the_work_stops_the_spending(tmp_path: Path, server: ChatServer) -> None:
    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with model(tmp_path, server, "concurrency = 2") as chat, pytest.raises(KeyboardInterrupt):
        chat.ask(conversations(100), Options(), stop)
    assert len(server.sent) <= 3 + 2


def test_nothing_goes_through_a_proxy_to_this_machines_own_server(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "OPENAI_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        with model(tmp_path, server) as chat:
            assert chat.ask(conversations(1), Options())[0].failure is None
        assert proxy.sent == [] and len(server.sent) == 1


def test_another_providers_client_is_not_left_to_a_proxy(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_models(tmp_path, server.url)
    path.write_text(path.read_text().replace("openai:tiny", "anthropic:tiny"))
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    with pytest.raises(ModelError, match="NO_PROXY", check=coded("proxy")):
        load_chat("chat:local", tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with pytest.raises(ModelError, check=coded("package-missing")):
        load_chat("chat:local", tmp_path)


def test_the_environment_moves_neither_the_address_nor_the_key(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as other:
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "LANGSMITH_GATEWAY", "LANGSMITH_GATEWAY_URL"):
            monkeypatch.setenv(name, other.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        with model(tmp_path, server) as chat:
            chat.ask(conversations(1), Options())
        assert other.sent == []
    assert all(KEY not in value for value in server.sent[0].headers.values())


@pytest.mark.parametrize("prefix", ["LANGSMITH", "LANGCHAIN"])
def test_no_tracer_hears_of_a_call(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    from langsmith import utils

    with serve() as collector:
        for name, value in (("TRACING", "true"), ("TRACING_V2", "true"), ("API_KEY", "k"), ("ENDPOINT", collector.url)):
            if (prefix, name) != ("LANGCHAIN", "TRACING"):
                monkeypatch.setenv(f"{prefix}_{name}", value)
        utils.get_env_var.cache_clear()
        try:
            before = threading.active_count()
            with model(tmp_path, server) as chat:
                assert chat.ask(conversations(3), Options())[0].failure is None
            time.sleep(0.1)
            assert collector.sent == [] and threading.active_count() <= before
        finally:
            utils.get_env_var.cache_clear()


def test_langchains_old_tracer_is_refused(tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_TRACING", "true")
    with pytest.raises(ModelError, check=coded("tracer")):
        model(tmp_path, server)


def test_no_log_holds_a_case_or_a_key(
    tmp_path: Path, server: ChatServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_LOG", "debug")
    caplog.set_level(logging.DEBUG)
    server.trouble = lambda number, body: 400 if number == 2 else None
    with model(tmp_path, server, f'key = "{KEY}"') as chat:
        chat.ask(conversations(3), Options())
    assert "a call ended in request refused" in caplog.text
    assert KEY not in caplog.text and SECRET_TEXT not in caplog.text and "127.0.0.1" not in caplog.text


def test_a_provider_that_is_not_installed_names_its_package(tmp_path: Path, server: ChatServer) -> None:
    write_models(tmp_path, server.url)
    path = tmp_path / "models.toml"
    path.write_text(path.read_text().replace("openai:tiny", "anthropic:tiny"))
    with pytest.raises(ModelError, match="langchain-anthropic", check=coded("package-missing")):
        load_chat("chat:local", tmp_path)


def test_a_provider_that_nobody_knows_gives_the_nearest(tmp_path: Path, server: ChatServer) -> None:
    write_models(tmp_path, server.url)
    path = tmp_path / "models.toml"
    path.write_text(path.read_text().replace("openai:tiny", "openay:tiny"))
    with pytest.raises(ModelError, match=r"'openay'.*'openai'", check=coded("unknown-provider")):
        load_chat("chat:local", tmp_path)


def test_one_model_under_two_names_has_one_digest(tmp_path: Path, server: ChatServer) -> None:
    with model(tmp_path, server) as named, load_chat("openai:tiny", tmp_path) as direct:
        assert named.info.digest == direct.info.digest and named.info.name != direct.info.name


@pytest.mark.parametrize(("logprobs", "method"), [(True, "likelihood"), (False, "constrained")])
def test_the_server_is_asked_once_what_it_can_do_with_a_question_that_holds_no_case(
    tmp_path: Path, server: ChatServer, logprobs: bool, method: str
) -> None:
    server.logprobs = logprobs
    with model(tmp_path, server) as chat:
        assert find_method(chat, [("a", "b")]).method == method
        assert find_method(chat, [("a", "ab")]).method == "constrained"
        assert find_method(chat, [("a", "b")], "constrained").method == "constrained"
        with pytest.raises(ModelError, check=coded("same-first-token")):
            find_method(chat, [("a", "ab")], "likelihood")
    assert len(server.sent) == 1


def test_a_server_that_refuses_to_be_asked_for_likelihoods_is_asked_for_words(
    tmp_path: Path, server: ChatServer
) -> None:
    server.trouble = lambda number, body: 400 if "logprobs" in body else None
    with model(tmp_path, server) as chat:
        assert find_method(chat, [("a", "b")]).method == "constrained"
    server.trouble = lambda number, body: 503
    with (
        model(tmp_path, server, "retries = 0") as chat,
        pytest.raises(ModelError, match="server error", check=coded("no-answer")),
    ):
        find_method(chat, [("a", "b")])


def test_a_judge_answers_a_prompt_and_counts_its_calls(tmp_path: Path, server: ChatServer) -> None:
    server.answer = lambda body: "Score: 4"
    server.trouble = lambda number, body: 400 if number == 2 else None
    write_models(tmp_path, server.url)
    judge = load_judge("chat:local", tmp_path)
    assert judge.ask("grade this") == "Score: 4"
    with pytest.raises(ModelError, check=coded("no-answer")) as caught:
        judge.ask(SECRET_TEXT)
    assert SECRET_TEXT not in str(caught.value) and len(judge.replies) == 2
    judge.close()


def test_a_judge_is_asked_side_by_side_as_the_machine_allows_and_a_failure_is_its_own(
    tmp_path: Path, server: ChatServer
) -> None:
    server.answer, server.pause = lambda body: "Score: 4", 0.05
    server.trouble = lambda number, body: 400 if number == 2 else None
    write_models(tmp_path, server.url, "concurrency = 2")
    judge = load_judge("chat:local", tmp_path)
    found = judge.ask_each([f"grade {n}" for n in range(8)])
    assert sum(isinstance(one, ModelError) for one in found) == 1 and found.count("Score: 4") == 7
    assert server.most_at_once == 2
    judge.close()
