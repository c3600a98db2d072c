"""Answers are kept as they come and asked for once; failures are not kept."""

import sqlite3
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fedprompt.models.chat.cost import tallied
from fedprompt.models.chat.protocol import ChatInfo, ChatReply, ChatTurn, Options, Usage
from fedprompt.models.chat.replies import ChatReplies, KeptChat
from fedprompt.stopping import NEVER, Stopped, StopToken

FIRST = (("yes", -0.1), (" no", -2.5))


class Model:
    """Repeats the last message; fails at some; remembers what it was asked."""

    def __init__(self, digest: str = "sha256:0", schema: bool = False) -> None:
        self.info = ChatInfo("chat:fake", digest, "localhost", False, True, schema)
        self.asked: list[str] = []
        self.failing: set[str] = set()

    def ask(
        self,
        conversations: Sequence[Sequence[ChatTurn]],
        options: Options,
        progress: Callable[[int, int], None] | None = None,
        heard: Callable[[int, ChatReply], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> tuple[ChatReply, ...]:
        found = []
        for place, one in enumerate(conversations):
            stop.check()
            self.asked.append(one[-1].text)
            if one[-1].text in self.failing:
                found.append(ChatReply("", failure="server error"))
            else:
                found.append(ChatReply(one[-1].text.upper(), Usage(3, 1), FIRST if options.top else None))
            if heard is not None:
                heard(place, found[-1])
        return tuple(found)

    def close(self) -> None:
        """Nothing is open."""


def talk(*texts: str) -> list[tuple[ChatTurn, ...]]:
    return [(ChatTurn("user", text),) for text in texts]


def kept(
    folder: Path, model: Model, key: bytes = b"k" * 32, server: str = "http://here/v1", anew: bool = False
) -> KeptChat:
    return KeptChat(model, ChatReplies(folder / "replies.db", key), server, anew=anew)


def test_what_was_answered_is_answered_again_without_a_call(tmp_path: Path) -> None:
    model, told = Model(), list[tuple[int, int]]()
    options = Options(max_tokens=1, top=20)
    first = kept(tmp_path, model).ask(talk("a", "b"), options)
    again = kept(tmp_path, model).ask(talk("b", "c", "a"), options, lambda *at: told.append(at))
    assert model.asked == ["a", "b", "c"] and told == [(3, 3)]
    assert [reply.text for reply in again] == ["B", "C", "A"] and [reply.kept for reply in again] == [True, False, True]
    assert again[2].first == first[0].first == FIRST and again[2].usage == Usage(3, 1)
    took = tallied(again, None)
    assert (took.calls, took.cached, took.input_tokens, took.output_tokens) == (1, 2, 3, 1)


def test_the_same_question_in_one_run_is_one_call(tmp_path: Path) -> None:
    model = Model()
    found = kept(tmp_path, model).ask(talk("a", "b", "a", "a"), Options())
    assert model.asked == ["a", "b"] and [reply.text for reply in found] == ["A", "B", "A", "A"]
    assert tallied(found, None).calls == 2
    assert kept(tmp_path, model).known(talk("c", "c", "a"), [Options()] * 3) == [False, True, True]


def test_a_failure_is_asked_again(tmp_path: Path) -> None:
    model = Model()
    model.failing = {"a"}
    found = kept(tmp_path, model).ask(talk("a", "a", "b"), Options())
    assert [reply.failure for reply in found] == ["server error", "server error", None]
    model.failing = set()
    assert [reply.text for reply in kept(tmp_path, model).ask(talk("a", "b"), Options())] == ["A", "B"]
    assert model.asked == ["a", "b", "a"]


@pytest.mark.parametrize(
    "options",
    [
        Options(max_tokens=65),
        Options(stop=("x",)),
        Options(temperature=0.5),
        Options(temperature=0.5, seed=1),
        Options(top_p=0.9),
        Options(top=5),
        Options(among=("a", "b")),
    ],
)
def test_other_settings_are_another_question(tmp_path: Path, options: Options) -> None:
    model = Model()
    kept(tmp_path, model).ask(talk("a"), Options())
    kept(tmp_path, model).ask(talk("a"), options)
    assert model.asked == ["a", "a"]


def test_another_model_server_role_or_site_is_another_question(tmp_path: Path) -> None:
    kept(tmp_path, Model()).ask(talk("a"), Options())
    for other, more in (
        (Model("sha256:1"), {}),
        (Model(schema=True), {}),
        (Model(), {"server": "http://there/v1"}),
        (Model(), {"key": b"s" * 32}),
    ):
        kept(tmp_path, other, **more).ask(talk("a"), Options())  # type: ignore[arg-type]
        assert other.asked == ["a"]
    model = Model()
    kept(tmp_path, model).ask([(ChatTurn("system", "a"),)], Options())
    assert model.asked == ["a"]


def test_anew_asks_again_and_keeps_the_newer_answer(tmp_path: Path) -> None:
    class Second(Model):
        def ask(self, conversations, options, progress=None, heard=None, *, stop=NEVER):  # type: ignore[no-untyped-def]
            newer = tuple(ChatReply("newer") for _ in conversations)
            for place, reply in enumerate(newer):
                heard(place, reply)
            return newer

    kept(tmp_path, Model()).ask(talk("a"), Options())
    assert kept(tmp_path, Second(), anew=True).ask(talk("a"), Options())[0].text == "newer"
    assert kept(tmp_path, Model()).ask(talk("a"), Options())[0].text == "newer"


def test_what_came_before_a_stop_is_kept(tmp_path: Path) -> None:
    model = Model()

    stop = StopToken(lambda: "cancelled" if len(model.asked) == 2 else None, every=0)
    with pytest.raises(Stopped):
        kept(tmp_path, model).ask(talk("a", "b", "c"), Options(), stop=stop)
    kept(tmp_path, model).ask(talk("a", "b", "c"), Options())
    assert model.asked == ["a", "b", "c"]


def test_the_file_is_its_owners_alone_and_a_damaged_one_is_begun_anew(tmp_path: Path) -> None:
    model, path = Model(), tmp_path / "replies.db"
    kept(tmp_path, model).ask(talk("hippocampus?"), Options())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE replies SET body = x'00'")
    connection.close()
    kept(tmp_path, model).ask(talk("hippocampus?"), Options())
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(b"no database" * 100)
    kept(tmp_path, model).ask(talk("hippocampus?"), Options())
    assert model.asked == ["hippocampus?"] * 3 and path.with_name("replies.db.damaged").exists()


def test_each_call_is_heard_once_as_paid_and_what_is_known_is_not(tmp_path: Path) -> None:
    paid: list[ChatReply] = []
    chat = KeptChat(Model(), ChatReplies(tmp_path / "replies.db", b"k" * 32), paid=paid.append)
    chat.ask(talk("a", "b", "a"), Options())
    chat.ask(talk("b", "c"), Options())
    assert [reply.text for reply in paid] == ["A", "B", "C"] and not any(reply.kept for reply in paid)
