"""Nothing leaves but through the gate, and the gate writes first."""

import os
import resource
import sqlite3
import uuid
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import LedgerError
from fedprompt.site.gate import Gate, Outgoing
from fedprompt.site.ledger import Ledger
from fedprompt.site.replies import ReplyStore
from fedprompt.trust.chain import GENESIS, follow
from fedprompt.verbs.beside import Beside, Count, Rise
from fedprompt.verbs.describe import DescribeReply
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.tune import TuneReply
from fedprompt.verbs.wire import unpack_reply
from tests.coded import coded

STUDY = "s1:" + "b" * 32
TASK = "t1:" + "a" * 32
DESCRIBE = DescribeReply(task=TASK, tune=30, validation=20, test=20, labels=(35, 35))
TUNE = TuneReply(task=TASK, round=1, cases=30, loss=0.5)


def gate(ledger: Ledger, *, study: str = STUDY, budget: int = 9, moved: tuple[int, ...] = (2, 3)) -> Gate:
    return Gate(ledger, ReplyStore(ledger.path.with_name("replies.db")), study=study, budget=budget, moved=moved)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def new() -> str:
    return uuid.uuid4().hex


def refusal(out: Outgoing) -> str:
    message = unpack_reply(out.data).message
    assert isinstance(message, Refusal)
    return message.code


def test_what_left_is_in_the_ledger_by_its_digest(ledger: Ledger) -> None:
    out = gate(ledger).send(TUNE, {"delta": np.ones((2, 3), np.float32)}, question="q")
    (entry,) = ledger.entries()
    assert (entry.decision, entry.study, entry.arrays) == ("sent", STUDY, {"delta": [2, 3]})
    assert entry.message == {**TUNE.model_dump(mode="json"), "question": "q"}
    assert (entry.size, entry.sha256) == (len(out.data), sha256(out.data).hexdigest())
    assert out.head == entry.hash == ledger.head


@pytest.mark.parametrize("moved", [(3, 2), (6,), (2, 4)])
def test_an_update_of_another_shape_than_the_study_moves_does_not_leave(ledger: Ledger, moved: tuple[int, ...]) -> None:
    assert (
        refusal(gate(ledger, moved=moved).send(TUNE, {"delta": np.ones((2, 3), np.float32)}, question="q")) == "failed"
    )
    assert [entry.decision for entry in ledger.entries()] == ["refused"]


def test_which_prompt_a_change_is_of_stands_in_the_ledger_each_time_and_never_leaves(ledger: Ledger) -> None:
    prompt, question, made = "p1:" + "c" * 32, new(), gate(ledger)
    out = made.send(TUNE, {"delta": np.ones((2, 3), np.float32)}, question=question, about=prompt)
    again = made.again(question)
    assert again is not None
    assert again.data == out.data
    assert [entry.message["about"] for entry in ledger.entries()] == [prompt, prompt]
    assert prompt.encode() not in out.data


def test_a_refused_reply_is_in_the_ledger_and_leaves_as_a_code(ledger: Ledger) -> None:
    out = gate(ledger).send(TUNE, {"delta": np.full((2, 3), np.nan, np.float32)}, question=new())
    assert refusal(out) == "failed"
    (entry,) = ledger.entries()
    assert (entry.decision, entry.message["code"]) == ("refused", "failed")
    assert entry.sha256 == sha256(out.data).hexdigest()


class Leaky(DescribeReply):
    """A reply with more than the list has."""

    note: str


def test_a_refused_replys_content_is_not_even_in_the_ledger(ledger: Ledger) -> None:
    out = gate(ledger).send(Leaky(**DESCRIBE.model_dump(), note="Mrs Smith"), question=new())
    assert refusal(out) == "failed"
    assert b"Smith" not in ledger.path.read_bytes() + out.data


def test_past_the_budget_nothing_but_refusals_leaves(ledger: Ledger) -> None:
    site = gate(ledger, budget=2)
    assert site.spent == 0
    site.send(DESCRIBE, question=new())
    site.send(Refusal(task=TASK, code="unknown-prompt"), question=new())  # costs nothing
    site.send(DESCRIBE, question=new())
    assert site.spent == 2
    assert refusal(site.send(DESCRIBE, question=new())) == "budget-spent"
    assert refusal(gate(ledger, budget=2).send(DESCRIBE, question=new())) == "budget-spent"
    other = gate(ledger, study="s1:" + "c" * 32, budget=2)
    assert unpack_reply(other.send(DESCRIBE, question=new()).data).message == DESCRIBE
    assert [entry.decision for entry in ledger.entries()] == ["sent", "refused", "sent", "refused", "refused", "sent"]


def test_a_ledger_that_was_tampered_with_lets_nothing_leave(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question=new())
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b'"tune":30', b'"tune":31'))
    with pytest.raises(LedgerError, match="line 1", check=coded("damaged", "chain-broken")):
        site.send(DESCRIBE, question=new())


def test_a_disk_that_is_full_lets_nothing_leave(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question=new())
    size = ledger.path.stat().st_size
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # the bound on files' sizes stays with the child
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            try:
                said = site.send(DESCRIBE, question=new()).data
            except LedgerError as error:
                said = str(error).encode()
            os.write(write, said)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert b"nothing was sent" in os.read(read, 10_000)
    os.close(read)
    os.close(write)
    assert len(ledger.entries()) == 1


def test_a_question_asked_again_gets_the_same_bytes_is_not_charged_and_is_noted(ledger: Ledger) -> None:
    site = gate(ledger, budget=1)
    assert site.again("q") is None
    first = site.send(TUNE, {"delta": np.ones((2, 3), np.float32)}, question="q", beside={"residual": {STUDY: b"rest"}})
    again = gate(ledger, budget=1).again("q", first.head)
    assert again is not None and again.data == first.data and site.spent == 1
    assert [entry.decision for entry in ledger.entries()] == ["sent", "resent"]
    assert [entry.arrays for entry in ledger.entries()] == [{"delta": [2, 3]}] * 2
    assert ReplyStore(ledger.path.with_name("replies.db")).kept("residual", STUDY) == b"rest"


def test_what_was_kept_but_never_left_leaves_as_sent_and_is_charged_once(ledger: Ledger, tmp_path: Path) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question="q")
    ledger.path.unlink()  # as if the process had died before it wrote the ledger
    assert site.spent == 1
    assert site.again("q") is not None
    assert ([entry.decision for entry in ledger.entries()], site.spent) == (["sent"], 1)


def test_the_hub_can_follow_the_chain_from_the_head_that_it_knows(ledger: Ledger) -> None:
    site = gate(ledger)
    first = site.send(DESCRIBE, question="a")
    site.send(DESCRIBE, question="b")
    third = site.send(DESCRIBE, question="c", known=first.head)
    assert len(third.trail) == 2 and follow(first.head, third.trail) == third.head
    assert len(site.send(DESCRIBE, question="d", known=GENESIS).trail) == 4


def test_a_rewritten_ledger_lets_nothing_leave_to_a_hub_that_knows_another(ledger: Ledger) -> None:
    site = gate(ledger)
    known = site.send(DESCRIBE, question="a").head
    ledger.path.unlink()
    before = site.spent
    with pytest.raises(LedgerError, check=coded("ledger-rewritten")):
        site.send(DESCRIBE, question="b", known=known)
    assert ledger.entries() == () and site.spent == before
    assert site.again("b") is None


def count(by: int, most: int | None = None) -> Beside:
    return {"exact": {"cases": Count(by, most)}}


def lose_replies(ledger: Ledger) -> None:
    ledger.path.with_name("replies.db").unlink()


def test_numbers_beside_a_reply_add_up_and_a_resent_reply_adds_nothing(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question="a", beside=count(3))
    site.send(DESCRIBE, question="b", beside=count(4))
    site.again("b")
    assert site.number("exact", "cases") == gate(ledger).number("exact", "cases") == 7
    assert site.number("exact", "other cases") == 0


def test_a_count_past_its_most_refuses_the_reply_and_charges_nothing(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question="a", beside=count(3, most=5))
    assert refusal(site.send(DESCRIBE, question="b", beside=count(3, most=5))) == "questions-spent"
    assert (site.spent, site.number("exact", "cases"), site.again("b")) == (1, 3, None)
    assert isinstance(
        unpack_reply(site.send(DESCRIBE, question="c", beside=count(2, most=5)).data).message, type(DESCRIBE)
    )


def test_a_number_that_must_rise_refuses_itself_and_less(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question="a", beside={"rounds": {STUDY: Rise(2)}})
    for number in (2, 1):
        sent = site.send(DESCRIBE, question=new(), beside={"rounds": {STUDY: Rise(number)}})
        assert refusal(sent) == "round-answered"
    site.send(DESCRIBE, question="b", beside={"rounds": {STUDY: Rise(9)}})
    assert site.number("rounds", STUDY) == 9


def test_what_the_ledger_says_is_spent_stays_spent_without_the_replies(ledger: Ledger) -> None:
    site = gate(ledger, budget=3)
    site.send(DESCRIBE, question="a", beside=count(3))
    site.send(DESCRIBE, question="b", beside={"rounds": {STUDY: Rise(5)}})
    lose_replies(ledger)
    site = gate(ledger, budget=3)
    assert (site.spent, site.number("exact", "cases"), site.number("rounds", STUDY)) == (2, 3, 5)
    assert refusal(site.send(DESCRIBE, question="c", beside=count(3, most=5))) == "questions-spent"
    assert refusal(site.send(DESCRIBE, question="d", beside={"rounds": {STUDY: Rise(5)}})) == "round-answered"
    site.send(DESCRIBE, question="e", beside=count(2))
    assert (site.spent, site.number("exact", "cases")) == (3, 5)
    assert refusal(site.send(DESCRIBE, question="f")) == "budget-spent"


def test_what_was_kept_but_never_left_has_its_numbers_in_the_ledger_once_it_leaves(ledger: Ledger) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question="q", beside=count(3), about="p1:" + "c" * 32)
    (entry,) = ledger.entries()
    ledger.path.unlink()  # as if the process had died before it wrote the ledger
    assert site.again("q") is not None
    (written,) = ledger.entries()
    assert written.message == entry.message and written.message["counted"] == {"exact": {"cases": {"by": 3}}}


def test_a_lost_answer_leaves_again_if_it_comes_out_the_same_and_is_not_charged(ledger: Ledger) -> None:
    site = gate(ledger, budget=1)
    first = site.send(DESCRIBE, question="q", beside=count(3))
    lose_replies(ledger)
    again = site.send(DESCRIBE, question="q", beside=count(3))
    assert again.data == first.data
    assert [entry.decision for entry in ledger.entries()] == ["sent", "resent"]
    assert (site.spent, site.number("exact", "cases")) == (1, 3)


@pytest.mark.parametrize("noted", [True, False], ids=["today's entry", "an older version's entry"])
def test_a_lost_answer_that_comes_out_otherwise_stays_at_the_site(ledger: Ledger, noted: bool) -> None:
    site = gate(ledger)
    site.send(DESCRIBE, question="q")
    if not noted:  # older versions wrote no question into the ledger
        (entry,) = ledger.entries()
        message = {name: value for name, value in entry.message.items() if name != "question"}
        ledger.path.unlink()
        data = ReplyStore(ledger.path.with_name("replies.db")).find("q")
        assert data is not None
        ledger.append(decision="sent", study=STUDY, message=message, arrays={}, data=data)
    lose_replies(ledger)
    with pytest.raises(LedgerError, check=coded("reply-lost")):
        site.send(DESCRIBE.model_copy(update={"tune": 31}), question="q")
    assert len(ledger.entries()) == 1
    site.send(DescribeReply(task="t1:" + "d" * 32, tune=31, validation=20, test=20, labels=(35, 36)), question="r")
    assert site.spent == 2


def test_replies_that_an_older_version_kept_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "replies.db"
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript(
            """
            CREATE TABLE sent (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
            CREATE TABLE answers (
                question TEXT PRIMARY KEY, study TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES sent
            ) STRICT;
            CREATE TABLE residuals (study TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
            INSERT INTO sent VALUES ('aa', x'01');
            INSERT INTO answers VALUES ('q', 's', 'aa');
            INSERT INTO residuals VALUES ('s', x'02');
            """
        )
    store = ReplyStore(path)
    assert (store.find("q"), store.spent("s"), store.kept("residual", "s")) == (b"\1", 1, b"\2")
    store.keep("r", study="s", data=b"3", beside={"residual": {"s": b"4"}, "exact": {"c": Count(2)}})
    assert (store.spent("s"), store.kept("residual", "s"), store.numbers("exact")) == (2, b"4", {"c": 2})


def test_replies_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "replies.db"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="newer", check=coded("damaged")):
        ReplyStore(path).spent("s")


def test_a_ledger_that_grew_too_much_to_show_says_so_and_what_to_do(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = gate(ledger)
    known = site.send(DESCRIBE, question="a").head
    site.send(DESCRIBE, question="b")
    assert site.refuse_other(TASK, known) is None and site.refuse_other(TASK, None) is None
    monkeypatch.setattr("fedprompt.site.gate.MAX_TRAIL", 0)
    out = site.refuse_other(TASK, known)
    assert out is not None and refusal(out) == "other-ledger" and out.trail == ()
    assert "more than 0 entries since the hub saw it" in caplog.text and "--ledger-restarted" in caplog.text
