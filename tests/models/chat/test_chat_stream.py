"""An answer that comes piece by piece is told as it comes, and one that breaks off is never taken for whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedprompt.models.chat.protocol import ChatReply, ChatTurn, Options, Usage
from fedprompt.models.chat.through_langchain import LangChainChat, load_chat
from fedprompt.stopping import Stopped, StopToken
from tests.chat_server import ChatServer, serve, write_models

SAID = "one two three\n\nfour"
ASKED = [(ChatTurn("user", "count for me"),)]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve(lambda body: SAID) as state:
        yield state


def model(home: Path, server: ChatServer, more: str = "") -> LangChainChat:
    write_models(home, server.url, more)
    return load_chat("chat:local", home)


def test_text_is_told_as_it_comes_up_to_a_stop_string_and_counted(tmp_path: Path, server: ChatServer) -> None:
    told: list[tuple[int, str]] = []
    with model(tmp_path, server) as chat:
        (reply,) = chat.ask(ASKED, Options(stop=("\n\n",)), told=lambda *piece: told.append(piece))
    assert told == [(0, "one"), (0, "one two"), (0, "one two three")]
    assert reply == ChatReply("one two three", Usage(3, 4))
    assert server.sent[0].body["stream"] is True


def test_a_server_that_counts_nothing_leaves_the_count_open(tmp_path: Path, server: ChatServer) -> None:
    server.usage = False
    with model(tmp_path, server) as chat:
        assert chat.ask(ASKED, Options(), told=lambda *_: None)[0] == ChatReply(SAID)


def test_a_call_is_tried_again_before_its_answer_begins_and_after(tmp_path: Path, server: ChatServer) -> None:
    server.trouble = lambda number, body: {1: 429, 2: "broken off"}.get(number)
    told: list[str] = []
    with model(tmp_path, server, "retries = 1") as chat:
        (reply,) = chat.ask(ASKED, Options(), told=lambda _, text: told.append(text))
    assert reply.text == SAID and len(server.sent) == 3
    assert told[:3] == ["one", "", "one"]  # what was lost is taken back


@pytest.mark.parametrize("trouble", ["unfinished", "whole", "html"])
def test_a_server_that_cannot_tell_in_pieces_is_asked_whole_from_then_on(
    tmp_path: Path, server: ChatServer, trouble: str
) -> None:
    server.trouble = lambda number, body: trouble if body.get("stream") else None
    with model(tmp_path, server) as chat:
        for _ in range(2):
            assert chat.ask(ASKED, Options(), told=lambda *_: None)[0].text == SAID
    assert [bool(one.body["stream"]) for one in server.sent] == [True, False, False]


@pytest.mark.parametrize(
    ("trouble", "failure"), [(429, "rate limit"), ("filtered", "answer withheld"), (503, "server error")]
)
def test_what_fails_for_good_has_a_reason(tmp_path: Path, server: ChatServer, trouble: object, failure: str) -> None:
    server.trouble = lambda number, body: trouble
    with model(tmp_path, server, "retries = 0") as chat:
        assert chat.ask(ASKED, Options(), told=lambda *_: None)[0] == ChatReply("", failure=failure)  # type: ignore[arg-type]


def test_whoever_stops_in_the_middle_of_an_answer_takes_no_more_of_it(tmp_path: Path, server: ChatServer) -> None:
    heard: list[str] = []
    stop = StopToken(lambda: "cancelled" if heard else None, every=0)
    server.answer, server.between = (lambda body: "word " * 200), 0.01
    with model(tmp_path, server) as chat, pytest.raises(Stopped):
        chat.ask(ASKED, Options(), told=lambda place, text: heard.append(text), stop=stop)
    assert server.pieces < 100


def test_an_answer_without_end_is_left(tmp_path: Path, server: ChatServer) -> None:
    server.answer = lambda body: " ".join(["word" * 250] * (40 if body.get("stream") else 1))
    with model(tmp_path, server) as chat:
        (reply,) = chat.ask(ASKED, Options(max_tokens=1), told=lambda *_: None)
    assert reply.text == "word" * 250 and server.pieces < 40
